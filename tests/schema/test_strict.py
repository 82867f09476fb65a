"""The strict form, checked against OpenAI's rules by a reader of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, create_model

from flashlite.providers.mock.instances import instance
from flashlite.schema import response_format_for, schema_of, strict, validate

LISTED = {
    *("type", "properties", "required", "additionalProperties", "items", "anyOf", "$ref", "$defs"),
    *("enum", "const", "title", "description", "pattern", "format", "multipleOf", "minimum"),
    *("maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
}


def faults(node: Any, path: str = "#") -> Iterator[str]:
    """Yield what OpenAI would refuse."""
    if not isinstance(node, Mapping):
        yield f"{path}: no object"
        return
    named = {**node.get("properties", {}), **node.get("$defs", {})}
    inner = [*named.values(), *node.get("anyOf", ()), *([node["items"]] if "items" in node else [])]
    refused = {
        "unlisted": bool(node.keys() - LISTED),
        "siblings of $ref": "$ref" in node and len(node) > 1,
        "no type": not {"type", "$ref", "anyOf"} & node.keys(),
        "open": node.get("type") == "object" and node.get("additionalProperties") is not False,
        "optional": node.get("required", []) != list(node.get("properties", [])),
        "no items": node.get("type") == "array" and "items" not in node,
    }
    yield from (f"{path}: {fault}" for fault, is_so in refused.items() if is_so)
    for number, below in enumerate(inner):
        yield from faults(below, f"{path}/{number}")


def references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def check(schema: Mapping[str, Any]) -> None:
    assert list(faults(schema)) == []
    assert (schema["type"], "anyOf" in schema) == ("object", False)
    for reference in references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    title: str


class Node(BaseModel):
    value: int
    next: Node | None = Field(None, description="the rest")


class Everything(BaseModel):
    title: str = Field(min_length=2, description="a name")
    color: Color = Field(description="which")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    node: Node
    home: AnyUrl
    price: Decimal
    mixed: Literal[1, "b", None]
    corner: tuple[int, int]
    unique: set[int] = Field(min_length=1)
    ratio: float = Field(gt=0, lt=1)


def test_whatever_pydantic_says_about_a_model_becomes_what_openai_takes() -> None:
    schema = strict(schema_of(Everything))
    assert schema is not None
    check(schema)


def properties(model: type[BaseModel]) -> dict[str, Any]:
    schema = strict(schema_of(model))
    assert schema is not None
    return schema["properties"]  # type: ignore[no-any-return]


def test_what_has_no_keyword_is_told_in_the_description() -> None:
    told = properties(Everything)
    assert told["title"] == {"type": "string", "description": "a name (minLength: 2)"}
    assert told["unique"]["description"] == "uniqueItems: true"
    assert 'format: "uri"' in told["home"]["description"]
    assert properties(Cat)["lives"] == {"type": "integer", "description": "default: 9"}


def test_a_reference_keeps_its_description_without_having_siblings() -> None:
    assert properties(Everything)["color"] == {
        "anyOf": [{"$ref": "#/$defs/Color"}],
        "description": "which",
    }


def test_enumerated_values_say_their_types() -> None:
    assert properties(Everything)["mixed"]["type"] == ["integer", "string", "null"]


def test_a_tuple_of_one_type_is_a_list_of_that_length() -> None:
    assert properties(Everything)["corner"] == {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 2,
        "maxItems": 2,
    }


def test_a_union_with_a_discriminator_is_any_of_its_members() -> None:
    assert properties(Everything)["pet"] == {
        "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    }


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


@pytest.mark.parametrize(
    "kind", [dict[str, int], dict, Any, list, list[Any], tuple[int, str], Open, object]
)
def test_what_cannot_be_said_strictly_has_no_strict_form(kind: Any) -> None:
    model = create_model("Holder", field=(kind, ...))
    assert strict(schema_of(model)) is None
    assert response_format_for(model)["json_schema"]["strict"] is False


OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"anyOf": [OBJECT, OBJECT]},
        {**OBJECT, "anyOf": [OBJECT]},
        {"type": "object"},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {"description": "anything"}}},
        {"type": "object", "properties": {"a": {"enum": [{"b": 1}]}}},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}}}},
        {"type": "object", "properties": {"a": {"allOf": [OBJECT, OBJECT]}}},
        {"type": "object", "properties": {"a": {"allOf": [{"minimum": 1}], "minimum": 2}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "anyOf": [OBJECT]}}},
        {"type": "object", "properties": {"a": {"prefixItems": [{}], "items": False}}},
        {"type": "object", "properties": {"a": {"type": "array", "prefixItems": []}}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"$ref": "#/$defs/B", "$defs": {"A": OBJECT}},
    ],
)
def test_a_schema_that_openai_would_refuse_has_no_strict_form(schema: dict[str, Any]) -> None:
    assert strict(schema) is None


def test_one_element_of_all_of_is_unwrapped() -> None:
    inner = {"allOf": [{"$ref": "#/$defs/A"}], "description": "it", "x-order": 1}
    schema = {"type": "object", "properties": {"a": inner}, "$defs": {"A": OBJECT}}
    made = strict(schema)
    assert made is not None
    assert made["properties"]["a"] == {"anyOf": [{"$ref": "#/$defs/A"}], "description": "it"}


@pytest.mark.parametrize(
    ("pattern", "kept"), [("^a+$", True), (r"^(?!a)b", False), (r"(?<=x)", False), (r"\(?=", True)]
)
def test_a_pattern_that_looks_around_is_only_told(pattern: str, kept: bool) -> None:
    text = {"type": "string", "pattern": pattern}
    made = strict({"type": "object", "properties": {"a": text}})
    assert made is not None
    assert ("pattern" in made["properties"]["a"], "description" in made["properties"]["a"]) == (
        kept,
        not kept,
    )


# Names that are keywords too, so that taking one for the other shows.
NAMES = ("title", "type", "items", "default", "properties", "required", "enum", "a", "b")
ALIASES = (None, "$ref", "anyOf", "$defs", "title")
LIMITED = (Annotated[int, Field(ge=3, lt=9)], Annotated[str, Field(min_length=2, description="s")])
leaves = st.sampled_from(
    [int, str, bool, float, None, Color, Cat, Node, Literal["x", "y"], Literal[1, "z"], *LIMITED]
)


def fields(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    field = st.tuples(kinds, st.sampled_from([..., None]))
    return st.dictionaries(st.sampled_from(NAMES), field, max_size=4)


def made_model(given_fields: dict[str, tuple[Any, Any]]) -> Any:
    parts: dict[str, Any] = {
        name: (kind, ...) if default is ... else (kind | None if kind else None, None)
        for name, (kind, default) in given_fields.items()
    }
    return create_model("Made", **parts)


types = st.recursive(
    leaves,
    lambda inner: (
        inner.map(lambda kind: list[kind])  # type: ignore[valid-type]
        | inner.map(lambda kind: dict[str, kind])  # type: ignore[valid-type]
        | inner.map(lambda kind: tuple[kind, kind])  # type: ignore[valid-type]
        | fields(inner).map(made_model)
    ),
    max_leaves=6,
)
models = fields(types).map(made_model)


@given(models)
def test_a_strict_form_keeps_all_rules_and_leaves_what_it_was_made_from(model: Any) -> None:
    schema = schema_of(model)
    before = deepcopy(schema)
    made = strict(schema)
    assert schema == before
    if made is not None:
        check(made)
        assert strict(made) == made


@given(types)
def test_what_fits_the_schema_that_is_asked_for_is_an_instance(kind: Any) -> None:
    made = instance(response_format_for(kind)["json_schema"]["schema"])
    validate(kind, json.dumps(made))


@pytest.mark.parametrize("alias", ALIASES[1:])
def test_a_property_may_be_called_like_a_keyword(alias: str) -> None:
    model = create_model("Odd", field=(int, Field(alias=alias)))
    assert list(properties(model)) == [alias]
    assert validate(model, json.dumps({alias: 3})).model_dump() == {"field": 3}
