"""Odd requests: answered or refused as a real server would, never with an exception."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite.providers.mock import BEHAVIOURS, MockModel
from flashlite.providers.mock.arithmetic import read_arithmetic

HI = [{"role": "user", "content": "Hi"}]


async def _ask(name: str, body: Any, **options: Any) -> tuple[int, str]:
    answer = await MockModel(name, **options).answer(body)
    return answer.status, b"".join([piece async for piece in answer.body]).decode()


async def _say(content: Any) -> Any:
    _, text = await _ask("echo", {"messages": [{"role": "user", "content": content}]})
    return json.loads(text)["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (b"{", "We could not parse the JSON body of your request: it has to be an object.", None),
        ([], "We could not parse the JSON body of your request: it has to be an object.", None),
        ({}, "Missing required parameter: 'messages'.", "messages"),
        (
            {"messages": "Hi"},
            "Invalid type for 'messages': expected an array, but got a string instead.",
            "messages",
        ),
        (
            {"messages": [*HI, None]},
            "Invalid type for 'messages[1]': expected an object, but got null instead.",
            "messages[1]",
        ),
        (
            {"messages": [{"role": "user", "content": ["Hi"]}]},
            "Invalid type for 'messages[0].content[0]': expected an object, but got a string "
            "instead.",
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "Invalid type for 'messages[0].content[0].text': expected a string, but got null "
            "instead.",
            "messages[0].content[0].text",
        ),
        (
            {"messages": HI, "tools": ["add"]},
            "Invalid type for 'tools[0]': expected an object, but got a string instead.",
            "tools[0]",
        ),
        (
            {"messages": HI, "tools": [{"type": "function"}]},
            "Invalid type for 'tools[0].function': expected an object, but got null instead.",
            "tools[0].function",
        ),
        (
            {"messages": HI, "response_format": "json"},
            "Invalid type for 'response_format': expected an object, but got a string instead.",
            "response_format",
        ),
        (
            {"messages": HI, "n": 0},
            "Invalid value for 'n': expected a whole number of at least 1.",
            "n",
        ),
        ({"messages": HI, "n": 10**9}, "Invalid 'n': at most 128 choices are possible.", "n"),
    ],
)
async def test_what_is_no_request_is_refused_in_openais_form(
    body: Any, message: str, param: str | None
) -> None:
    status, text = await _ask("echo", body)
    error = json.loads(text)["error"]
    expected = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    assert (status, error | {"code": None}) == (400, expected)


async def test_content_may_be_missing_or_without_text() -> None:
    contents: list[Any] = [None, [], [{"type": "input_audio"}], ({"type": "text", "text": "x"},)]
    assert [await _say(content) for content in contents] == ["", "", "[input_audio]", "x"]


async def test_a_schema_without_an_instance_is_refused_with_the_reason() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "strin"}}}
    status, text = await _ask("json", {"messages": HI, "response_format": wanted})
    assert (status, json.loads(text)["error"]) == (
        400,
        {
            "message": "Invalid schema for response_format: it is no JSON schema: 'strin' is not "
            "valid under any of the given schemas.",
            "type": "invalid_request_error",
            "param": "response_format",
            "code": None,
        },
    )


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        (None, {}),
        ({}, {}),
        ({"properties": {"x": {"type": "integer"}}}, {"x": 0}),
        ({"anyOf": [{"type": "null"}, {"required": ["x"]}]}, {"x": None}),
    ],
)
async def test_a_tools_arguments_are_an_object_whatever_its_schema_leaves_out(
    parameters: Any, arguments: dict[str, Any]
) -> None:
    function = {"name": "f"} if parameters is None else {"name": "f", "parameters": parameters}
    tools = [{"type": "function", "function": function}, {"type": "web_search"}]
    _, text = await _ask("tools", {"messages": HI, "tools": tools})
    [call] = json.loads(text)["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("f", arguments)


async def test_a_tool_whose_arguments_can_be_no_object_is_refused() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]
    status, text = await _ask("tools", {"messages": HI, "tools": tools})
    error = json.loads(text)["error"]
    assert (status, error["message"]) == (
        400,
        "Invalid schema for function 'f': its type is not object.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "Start with 4. Divide it by 0.",
        "(" * 5000 + "1 + 1" + ")" * 5000,
        "1 " + "-" * 900 + " 1",
        "9" * 5000 + " * 3",
        "(" * 400 + "1 + 1",
    ],
)
async def test_arithmetic_that_no_person_would_do_is_none(text: str) -> None:
    assert read_arithmetic(text) is None


async def test_the_calculator_knows_no_limit_of_floats() -> None:
    messages = [{"role": "user", "content": f"What is {'9' * 400} / 7?"}]
    _, text = await _ask("calculator", {"messages": messages})
    answer = json.loads(text)["choices"][0]["message"]["content"]
    assert answer.endswith(f"ANSWER: {(10**400 - 1) // 7}")


ODD: list[Any] = [
    {"content": 5},
    {"content": [{"type": "text", "text": "x"}]},
    {"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}, "call", {}]},
    {"tool_calls": "none"},
    {"reasoning_content": {"steps": []}},
]


@pytest.mark.parametrize("answer", ODD)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_script_may_say_what_no_real_model_would(answer: Any, stream: bool) -> None:
    body = {"messages": HI, "stream": stream}
    status, text = await _ask("script", body, answers=[answer])
    [value] = answer.values()
    assert status == 200
    assert stream or json.loads(text)["choices"][0]["message"] == {"role": "assistant", **answer}
    assert isinstance(value, list | str) or json.dumps(value) in text


async def test_a_scripts_function_that_gives_no_answer_is_refused() -> None:
    status, text = await _ask("script", {"messages": HI}, answers=lambda _: 5)
    assert (status, json.loads(text)["error"]["message"]) == (
        400,
        "the script's function gave no answer: an answer is a text or a message; got 5",
    )


_WORDS = [
    *("role", "content", "type", "text", "function", "name", "parameters", "messages", "tools"),
    *("json_schema", "schema", "properties", "$ref", "enum", "include_usage", "tool_choice"),
]
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 200)
    | st.floats()
    | st.sampled_from(
        ["user", "text", "function", "json_schema", "object", "#", "2 + 2", "\ud83d"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=4)
        | st.fixed_dictionaries({"role": st.just("user"), "content": inner})
        | st.fixed_dictionaries({"type": st.just("json_schema"), "json_schema": inner})
    ),
    max_leaves=10,
)
_BODIES = _JSON | st.fixed_dictionaries(
    {"messages": st.just(HI) | _JSON},
    optional=dict.fromkeys(
        [
            *("model", "n", "tools", "tool_choice", "response_format", "stream"),
            *("max_tokens", "stream_options", "sample"),
        ],
        _JSON,
    ),
)


@settings(deadline=None)
@given(st.sampled_from([*BEHAVIOURS]), _BODIES)
def test_no_body_whatever_makes_a_mock_raise(name: str, body: Any) -> None:
    status, text = asyncio.run(_ask(name, body))
    assert status in (200, 400)
    assert status == 200 or json.loads(text)["error"]["type"] == "invalid_request_error"
