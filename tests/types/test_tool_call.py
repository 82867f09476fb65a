import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.types import FunctionCall, ToolCall

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.builds(
    ToolCall, st.text(), st.text(), st.text() | st.dictionaries(st.text(), JSON, max_size=4)
)


def test_arguments_given_as_text_are_kept_byte_for_byte() -> None:
    text = '{ "b":2,\t"a": "\\u00e9" }\n'
    call = ToolCall("c1", "add", text)
    assert (call.arguments, call.arguments_json, call.parse_error) == (
        {"b": 2, "a": "é"},
        text,
        None,
    )


def test_arguments_given_as_a_dict_are_written_as_json() -> None:
    call = ToolCall("c1", "add", {"b": 2, "a": "é"})
    assert (call.arguments, call.arguments_json, call.parse_error) == (
        {"b": 2, "a": "é"},
        '{"b": 2, "a": "é"}',
        None,
    )


def test_a_call_does_not_follow_the_dict_it_was_made_of() -> None:
    arguments = {"a": 1}
    call = ToolCall("c1", "add", arguments)
    arguments["a"] = 2
    assert call.arguments == {"a": 1}


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_no_text_means_no_arguments(text: str) -> None:
    call = ToolCall("c1", "now", text)
    assert (call.arguments, call.arguments_json, call.parse_error) == ({}, text, None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '{"a": 1',
            "the arguments are not valid JSON (Expecting ',' delimiter: "
            'line 1 column 8 (char 7)): {"a": 1',
        ),
        ("[1, 2]", "the arguments are not a JSON object: [1, 2]"),
        ("null", "the arguments are not a JSON object: null"),
        ('"a"', 'the arguments are not a JSON object: "a"'),
        ("3" + " " * 300, "the arguments are not a JSON object: 3" + " " * 199),
    ],
)
def test_text_that_is_no_object_is_the_models_mistake(text: str, complaint: str) -> None:
    call = ToolCall("c1", "add", text)
    assert (call.arguments, call.arguments_json, call.parse_error) == ({}, text, complaint)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, f'{{"a": {"9" * 5000}}}'])
def test_text_that_no_parser_takes_raises_nothing(text: str) -> None:
    call = ToolCall("c1", "add", text)
    assert (call.arguments, call.arguments_json) == ({}, text)
    assert (call.parse_error or "").startswith("the arguments are not valid JSON (")


@given(st.text() | JSON.map(str))
def test_no_text_at_all_makes_a_call_raise(text: str) -> None:
    call = ToolCall("c1", "add", text)
    assert (type(call.arguments), call.arguments_json) == (dict, text)


def test_parse_arguments_returns_what_there_is() -> None:
    assert ToolCall("c1", "add", '{"a": 1}').parse_arguments() == {"a": 1}


def test_parse_arguments_raises_the_complaint() -> None:
    with pytest.raises(ValueError, match=r"^the arguments are not a JSON object: 3$"):
        ToolCall("c1", "add", "3").parse_arguments()


def test_function_is_the_spelling_of_openai() -> None:
    call = ToolCall("c1", "add", '{"a":1}')
    assert call.function == FunctionCall(name="add", arguments='{"a":1}')
    assert (call.function.name, call.function.arguments) == ("add", '{"a":1}')


def test_to_dict_is_the_wire_form_of_openai() -> None:
    assert ToolCall("c1", "add", '{"a":1}').to_dict() == {
        "id": "c1",
        "type": "function",
        "function": {"name": "add", "arguments": '{"a":1}'},
    }


@pytest.mark.parametrize(
    ("wire", "call"),
    [
        (
            {"id": "c1", "function": {"name": "add", "arguments": '{"a":1}'}},
            ToolCall("c1", "add", '{"a":1}'),
        ),
        (
            {"id": "c1", "name": "add", "arguments": {"a": 1}},
            ToolCall("c1", "add", {"a": 1}),
        ),
        ({"id": None, "function": {"name": None, "arguments": None}}, ToolCall("", "", "")),
        ({}, ToolCall("", "", "")),
    ],
)
def test_from_dict_reads_the_wire_form_and_the_flat_one(wire: Any, call: ToolCall) -> None:
    assert ToolCall.from_dict(wire) == call


@pytest.mark.parametrize("arguments", [[1, 2], 5, True])
def test_arguments_of_another_json_type_are_the_models_mistake(arguments: Any) -> None:
    call = ToolCall.from_dict({"id": "c1", "function": {"name": "add", "arguments": arguments}})
    assert call.arguments == {}
    assert (call.parse_error or "").startswith("the arguments are not a JSON object: ")


@given(CALLS)
def test_a_call_comes_back_from_its_dict(call: ToolCall) -> None:
    again = ToolCall.from_dict(call.to_dict())
    assert again == call
    assert (again.arguments, again.parse_error) == (call.arguments, call.parse_error)


@given(CALLS)
def test_a_call_comes_back_from_a_pickle_and_a_copy(call: ToolCall) -> None:
    again = pickle.loads(pickle.dumps(call))
    assert (again, again.arguments, again.parse_error) == (call, call.arguments, call.parse_error)
    assert copy.deepcopy(call) == call


@pytest.mark.parametrize(
    "other",
    [
        ToolCall("c2", "add", '{"a":1}'),
        ToolCall("c1", "sub", '{"a":1}'),
        ToolCall("c1", "add", '{"a": 1}'),
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
        "add",
    ],
)
def test_calls_that_differ_in_anything_are_not_equal(other: Any) -> None:
    assert ToolCall("c1", "add", '{"a":1}') != other


def test_equal_calls_are_one_in_a_set() -> None:
    assert len({ToolCall("c1", "add", '{"a": 1}'), ToolCall("c1", "add", {"a": 1})}) == 1


def test_the_repr_shows_the_text_of_the_model() -> None:
    assert repr(ToolCall("c1", "add", "{")) == "ToolCall(id='c1', name='add', arguments='{')"
