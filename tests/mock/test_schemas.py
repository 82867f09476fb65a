"""An instance for every sane schema, and a refusal for every other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from flashlite.providers.mock.instances import NoInstance, instance

_LEAVES = st.one_of(
    st.sampled_from([True, {}, {"type": "null"}, {"type": "boolean"}, {"const": None}]),
    st.builds(lambda low: {"type": "integer", "minimum": low}, st.integers()),
    st.builds(lambda high: {"maximum": high}, st.floats(-1e9, 1e9)),
    st.builds(
        lambda low, more: {"type": "number", "exclusiveMinimum": low, "maximum": low + more},
        st.integers(-1000, 1000),
        st.floats(0.01, 10),
    ),
    st.builds(lambda step: {"type": "integer", "multipleOf": step}, st.sampled_from([1, 2.5, 7])),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 30),
        st.integers(0, 3),
    ),
    st.sampled_from([r"^[A-Z]{2}-\d+$", r"(yes|no)\.?$", r"^\S+@[^ @]+\.(com|org)$", "x{3,}"]).map(
        lambda pattern: {"type": "string", "pattern": pattern}
    ),
    st.lists(st.none() | st.booleans() | st.integers() | st.text(), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    ),
    st.just({"type": ["string", "null"], "maxLength": 0}),
    st.just({"$ref": "#/$defs/tree"}),
    st.just({"not": {"type": "null"}}),
)


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(st.sampled_from(["a", "b", "$ref", "type", "é/~"]), inner, max_size=3)
    return st.one_of(
        st.builds(
            lambda members, closed: {
                "type": "object",
                "properties": members,
                "required": sorted(members)[:2],
                **({"additionalProperties": False} if closed else {}),
            },
            named,
            st.booleans(),
        ),
        st.builds(
            lambda member, count: {
                "type": "object",
                "additionalProperties": member,
                "minProperties": count,
            },
            inner,
            st.integers(0, 3),
        ),
        st.builds(
            lambda items, count: {"type": "array", "items": items, "minItems": count},
            inner,
            st.integers(0, 3),
        ),
        st.builds(lambda first: {"prefixItems": [first, True], "items": False}, inner),
        st.builds(lambda one, other: {"anyOf": [False, one, other]}, inner, inner),
        st.builds(lambda one: {"allOf": [one, True, {"description": "x"}]}, inner),
        st.builds(lambda one: {"oneOf": [one, False]}, inner),
    )


_TREE = {
    "type": "object",
    "properties": {
        "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
    },
    "required": ["left"],
    "additionalProperties": False,
}
_SANE = st.recursive(_LEAVES, _larger, max_leaves=8)
_WORDS = [
    *("type", "properties", "required", "items", "$ref", "anyOf", "allOf", "oneOf", "not"),
    *("enum", "const", "default", "minimum", "maxLength", "pattern", "minItems", "uniqueItems"),
    *("additionalProperties", "prefixItems", "contains", "if", "then", "$defs", "format"),
]
_JSON = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-3, 3), st.floats()),
        st.sampled_from(
            ["#", "#/$defs/a", "#x", "http://127.0.0.1/", "object", "integer", "(", ""]
        ),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*_WORDS, "a"]), inner)
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(_SANE)
def test_every_sane_schema_has_an_instance(schema: Any) -> None:
    whole = {"allOf": [schema], "$defs": {"tree": _TREE}}
    Draft202012Validator(whole).validate(json.loads(json.dumps(instance(whole))))


@settings(deadline=None)
@given(_JSON)
def test_whatever_is_asked_for_is_given_validly_or_refused(schema: Any) -> None:
    try:
        made = instance(schema)
    except NoInstance:
        return
    Draft202012Validator(schema).validate(made)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"type": "string"}},
            ["text", "text2", "text3"],
        ),
        (
            {
                "type": "array",
                "uniqueItems": True,
                "minItems": 2,
                "items": {"type": "object", "properties": {"n": {"type": "integer"}}},
            },
            [{"n": 0}, {"n": 1}],
        ),
        (
            {"type": "object", "patternProperties": {"^x_": {"const": 1}}, "minProperties": 1},
            {"text": None},
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
            {"text": 0, "text2": 0},
        ),
        (
            {"properties": {"a": {"const": 1}, "b": True, "c": True}, "maxProperties": 1},
            {"a": 1},
        ),
        ({"properties": {"never": False, "a": {"const": 1}}}, {"a": 1}),
        ({"type": "array", "contains": {"const": 3}, "minContains": 2}, [3, 3]),
        ({"type": "string", "pattern": r"^[^a0]\w{2}(?:-\d\d)?$"}, "Aaa"),
        ({"default": "x", "type": "integer"}, 0),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"}, 0),
        (
            {
                "type": "object",
                "properties": {"kind": {"enum": ["a", "b"]}},
                "required": ["kind"],
                "if": {"properties": {"kind": {"const": "a"}}},
                "then": {"required": ["size"]},
            },
            {"kind": "a", "size": None},
        ),
        (
            {
                "$ref": "#/$defs/named",
                "properties": {"n": {"minimum": 3}},
                "$defs": {"named": {"properties": {"n": {"type": "integer"}}}},
            },
            {"n": 3},
        ),
    ],
)
def test_the_constraints_of_a_schema_are_kept(schema: dict[str, Any], expected: Any) -> None:
    assert instance(schema) == expected


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (False, "no value was found that fits it"),
        ({"$ref": "#"}, "no value was found that fits it"),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"], "type": "object"}, "no value was"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no value was found that fits it"),
        ({"type": "string", "minLength": 10**12}, "no value was found that fits it"),
        ({"type": "array", "minItems": 10**12}, "no value was found that fits it"),
        ({"type": "strin"}, "it is no JSON schema: 'strin' is not valid"),
        ({"properties": {"a": 5}}, "it is no JSON schema: 5 is not of type"),
        ({"pattern": "("}, "it is no JSON schema: '\\(' is not a 'regex'"),
        ({"$ref": "#/$defs/gone"}, "a reference leads nowhere: '#/\\$defs/gone'"),
        ({"$ref": "http://192.0.2.1/x.json"}, "a reference leads nowhere: 'http://192"),
        ({"minimum": float("inf")}, "Out of range float values"),
        ({"enum": [object()]}, "not JSON serializable"),
        (_deep(400), "it is nested too deeply"),
    ],
)
def test_what_has_no_instance_is_refused_in_a_sentence(schema: Any, sentence: str) -> None:
    with pytest.raises(NoInstance, match=sentence):
        instance(schema)


def test_many_types_that_refer_to_each_other_come_to_an_end() -> None:
    names = [f"t{number}" for number in range(8)]
    options = [{"$ref": f"#/$defs/{name}"} for name in names]
    node = {"type": "object", "properties": {"of": {"anyOf": options}, "or": {"anyOf": options}}}
    schema = {"$ref": "#/$defs/t0", "$defs": dict.fromkeys(names, node)}
    Draft202012Validator(schema).validate(instance(schema))
