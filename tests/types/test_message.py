import copy
import json
import pickle
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.errors import ConfigError
from flashlite.types import (
    Message,
    Role,
    ToolCall,
    assistant_message,
    normalize_messages,
    system_message,
    user_message,
)

PARTS = [
    {"type": "text", "text": "What is "},
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    {"type": "text", "text": "this?"},
]
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (Message.user("Hi"), {"role": "user", "content": "Hi"}),
        (
            Message.user(PARTS, name="Ann"),
            {"role": "user", "content": PARTS, "name": "Ann"},
        ),
        (Message.system("Be brief."), {"role": "system", "content": "Be brief."}),
        (Message.assistant("Yes"), {"role": "assistant", "content": "Yes"}),
        (Message.assistant(), {"role": "assistant", "content": None}),
        (
            Message.assistant(tool_calls=[ToolCall("c1", "add", '{"a": 1}'), CALL], name="Bo"),
            {"role": "assistant", "content": None, "name": "Bo", "tool_calls": [CALL, CALL]},
        ),
        (
            Message.assistant("Yes", reasoning_content="Hm.", refusal=None),
            {"role": "assistant", "content": "Yes", "reasoning_content": "Hm."},
        ),
        (
            Message.tool_result("c1", "3"),
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
        ),
        (
            Message.tool_result("c1", "3", name="add"),
            {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
        ),
    ],
)
def test_a_message_is_the_plain_dict_and_json_as_it_stands(
    message: Message, wire: dict[str, Any]
) -> None:
    assert message == wire
    assert json.dumps(message) == json.dumps(dict(message))
    assert orjson.loads(orjson.dumps(message)) == wire


def test_the_properties_name_what_the_keys_hold() -> None:
    message = Message.assistant("3", tool_calls=[CALL], name="Bo")
    result = Message.tool_result("c1", "3")
    assert (message.role, message.content, message.name, message.tool_calls) == (
        Role.ASSISTANT,
        "3",
        "Bo",
        [ToolCall("c1", "add", '{"a": 1}')],
    )
    assert (result.role, result.tool_call_id) == (Role.TOOL, "c1")


def test_what_a_message_does_not_have_is_none() -> None:
    bare = Message({"role": "user"})
    assert (bare.content, bare.name, bare.tool_calls, bare.tool_call_id, bare.text) == (
        None,
        None,
        None,
        None,
        "",
    )


@pytest.mark.parametrize(
    ("content", "text"), [("Hi", "Hi"), (None, ""), ("", ""), (PARTS, "What is this?"), ([], "")]
)
def test_text_joins_what_the_content_says_in_words(content: Any, text: str) -> None:
    assert Message.user(content).text == text


def test_to_dict_gives_a_plain_dict_of_its_own() -> None:
    message = Message.user("Hi")
    plain = message.to_dict()
    plain["content"] = "Bye"
    assert (type(plain), message) == (dict, {"role": "user", "content": "Hi"})


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copied_message_is_a_message(again: Any) -> None:
    message = Message.assistant("Yes", tool_calls=[CALL])
    assert (type(again(message)), again(message)) == (Message, message)


def test_a_role_may_be_given_as_a_role() -> None:
    (message,) = normalize_messages({"role": Role.USER, "content": "Hi"})
    assert json.dumps(message) == '{"role": "user", "content": "Hi"}'


def test_the_functions_are_the_constructors() -> None:
    assert [user_message("a"), system_message("b"), assistant_message("c")] == [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "assistant", "content": "c"},
    ]


def a_generator() -> Iterator[str]:
    yield "a"
    yield "b"


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ("Hi", [{"role": "user", "content": "Hi"}]),
        ({"role": "system", "content": "S"}, [{"role": "system", "content": "S"}]),
        (Message.user("Hi"), [{"role": "user", "content": "Hi"}]),
        (["a", Message.assistant("b"), {"role": "developer", "content": "c"}],
         [
             {"role": "user", "content": "a"},
             {"role": "assistant", "content": "b"},
             {"role": "developer", "content": "c"},
         ]),
        (("a",), [{"role": "user", "content": "a"}]),
        (a_generator(), [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]),
    ],
)  # fmt: skip
def test_messages_are_a_text_or_a_message_or_a_list_of_either(
    given: Any, messages: list[dict[str, Any]]
) -> None:
    normal = normalize_messages(given)
    assert normal == tuple(messages)
    assert {type(message) for message in normal} == {Message}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "no messages: pass a text or a non-empty list of messages"),
        ({}, "no messages: pass a text or a non-empty list of messages"),
        ([], "no messages: pass a text or a non-empty list of messages"),
        ((), "no messages: pass a text or a non-empty list of messages"),
        (iter(()), "no messages: pass a text or a non-empty list of messages"),
        (None, "messages are a text or a list; got NoneType"),
        (42, "messages are a text or a list; got int"),
        (["a", None], "a message is a text or a dict with a role; got NoneType"),
        ([["a"]], "a message is a text or a dict with a role; got list"),
        (
            {"content": "Hi"},
            "a message needs a role out of system, developer, user, assistant, tool; got None",
        ),
        (
            [{"role": "robot", "content": "Hi"}],
            "a message needs a role out of system, developer, user, assistant, tool; got 'robot'",
        ),
        (
            ["a", {"role": "user", "content": None}],
            "content is a text or a list of parts (dicts); got None",
        ),
        ({"role": "system"}, "content is a text or a list of parts (dicts); got None"),
        (
            {"role": ["user"]},
            "a message needs a role out of system, developer, user, assistant, tool; got ['user']",
        ),
        (
            Message(content="Hi"),
            "a message needs a role out of system, developer, user, assistant, tool; got None",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": 1}]},
            "content is a text or a list of parts (dicts); got [{'type': 'text', 'text': 1}]",
        ),
        (
            {"role": "tool", "content": "5", "tool_call_id": 7},
            "tool_call_id is a text; got 7",
        ),
        (
            {"role": "assistant", "tool_calls": {"id": "c"}},
            "tool_calls is a list of dicts; got {'id': 'c'}",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": "f"}]},
            "a tool call has a function with a name; got {'id': 'c', 'function': 'f'}",
        ),
        (
            {"role": "assistant", "thinking_blocks": ["hm"]},
            "thinking_blocks is a list of dicts; got ['hm']",
        ),
    ],
)
def test_anything_else_is_refused_with_a_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}$"):
        normalize_messages(given)


def test_normal_messages_do_not_follow_what_the_caller_changes_later() -> None:
    plain, message = {"role": "user", "content": "a"}, Message.user("b")
    normal = normalize_messages([plain, message])
    plain["content"] = message["content"] = "changed"
    assert normal == ({"role": "user", "content": "a"}, {"role": "user", "content": "b"})


@given(st.lists(st.one_of(st.text(), st.sampled_from([CALL | {"role": "tool"}])), min_size=1))
def test_normalizing_twice_changes_nothing(messages: list[Any]) -> None:
    normal = normalize_messages(messages)
    assert normalize_messages(normal) == normal
