"""From our calls to Inspect's events: whole values, field by field."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest

from flashlite.errors import APIConnectionError
from flashlite.inspect_logs.messages import Attachments, chained_ids, to_message
from flashlite.inspect_logs.model_events import ModelCall, to_event, to_usage
from flashlite.inspect_logs.plain import encode
from flashlite.inspect_logs.settings import to_settings
from flashlite.inspect_logs.tool_events import to_tool_event
from flashlite.inspect_logs.transcript import Pool
from flashlite.tools import ToolResult
from flashlite.types import Choice, CompletionResponse, Message, Target, ToolCall, Usage

from .logs import REQUEST, answer

NOON = 1_700_000_000.25


def event_of(call: ModelCall) -> dict[str, Any]:
    event = to_event(call, ids=["a"], attachments=Attachments(), with_raw=True)
    return json.loads(encode(event))


def test_an_answer_is_an_event() -> None:
    call = ModelCall(request=REQUEST, response=answer(id="r1"), began=NOON, ended=NOON + 2)
    event = event_of(call)
    message_id = chained_ids([Message.assistant("4")], "a")[0]
    assert event == {
        "event": "model",
        "timestamp": "2023-11-14T22:13:20.250000+00:00",
        "completed": "2023-11-14T22:13:22.250000+00:00",
        "working_time": 0.5,
        "model": "openai/gpt-4o",
        "input": [],
        "tools": [],
        "tool_choice": "auto",
        "config": {"temperature": 0.5},
        "output": {
            "model": "gpt-4o-2024",
            "choices": [
                {
                    "message": {
                        "id": message_id,
                        "role": "assistant",
                        "content": "4",
                        "model": "gpt-4o-2024",
                        "source": "generate",
                    },
                    "stop_reason": "stop",
                }
            ],
            "completion": "4",
            "metadata": {"provider": "openai"},
            "usage": {
                "input_tokens": 10, "output_tokens": 2, "total_tokens": 12, "total_cost": 0.001
            },
            "time": 0.5,
            "response_id": "r1",
        },
        "retries": 0,
        "metadata": {"request_id": REQUEST.id},
    }  # fmt: skip


def test_an_error_is_an_event_too() -> None:
    error = APIConnectionError("gone", body={"why": "x"})
    error.attempts = 3
    event = event_of(ModelCall(request=REQUEST, error=error, began=NOON, ended=NOON + 2))
    assert event["output"] == {"model": "openai/gpt-4o", "choices": []}
    assert (event["error"], event["retries"]) == ("APIConnectionError: gone (3 attempts)", 2)
    assert (event["working_time"], event["call"]) == (
        2.0, {"request": {}, "response": {"why": "x"}, "error": True}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "target", "provider", "name"),
    [
        ("gpt-4o", None, None, "flashlite/gpt-4o"),
        ("gpt-4o", None, "openai", "openai/gpt-4o"),
        ("a/b", None, "openai", "a/b"),
        ("m", Target(provider="p", dialect="d", model="real"), None, "p/real"),
        ("", None, None, "none/none"),
    ],
)
def test_a_model_is_named_as_inspect_names_it(
    model: str, target: Target | None, provider: str | None, name: str
) -> None:
    request = REQUEST.with_(model=model).with_(target=target)
    response = CompletionResponse(provider=provider)
    assert ModelCall.just_ended(request, response).model == name


def test_tokens_are_counted_as_inspect_counts_them() -> None:
    usage = Usage(
        input_tokens=10,
        output_tokens=5,
        input_tokens_cached=3,
        input_tokens_cache_write=2,
        reasoning_tokens=4,
    )
    assert to_usage(usage) == {
        "input_tokens": 5,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_tokens_cache_read": 3,
        "input_tokens_cache_write": 2,
        "reasoning_tokens": 4,
    }


def test_parameters_without_a_name_of_inspects_are_kept() -> None:
    params = {
        "max_completion_tokens": 5,
        "stop": "x",
        "n": 2,
        "logit_bias": {"7": 1, 8: -1},
        "seed": "no number",
        "reasoning_effort": "huge",
        "tool_choice": "auto",
    }
    assert to_settings(params, {"top_a": 1}) == {
        "max_tokens": 5,
        "stop_seqs": ["x"],
        "num_choices": 2,
        "logit_bias": {"7": 1.0, "8": -1.0},
        "extra_body": {"seed": "no number", "reasoning_effort": "huge", "top_a": 1},
    }


def spelled(message: dict[str, Any]) -> dict[str, Any]:
    return to_message(message, id="i", attachments=Attachments())


def test_messages_have_a_content_whatever_they_are() -> None:
    call = ToolCall("c", "f", '{"a": 1}')
    broken = ToolCall("c", "f", "{")
    assert spelled(Message.assistant(None, tool_calls=[call])) == {
        "id": "i",
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c", "function": "f", "arguments": {"a": 1}, "type": "function"}],
    }
    [problem] = spelled(Message.assistant(None, tool_calls=[broken]))["tool_calls"]
    assert (problem["arguments"], problem["parse_error"]) == ({}, broken.parse_error)
    assert spelled({"role": "developer", "content": "x"})["role"] == "system"
    assert spelled(Message.tool_result("c", "4", name="f")) == {
        "id": "i", "role": "tool", "content": "4", "tool_call_id": "c", "function": "f"
    }  # fmt: skip
    assert spelled(Message.user("x", name="bob"))["metadata"] == {"name": "bob"}


def test_reasoning_and_refusals_are_parts() -> None:
    assert spelled(Message.assistant("x", reasoning_content="hm"))["content"] == [
        {"type": "reasoning", "reasoning": "hm", "redacted": False},
        {"type": "text", "text": "x"},
    ]
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "dark"},
    ]
    assert spelled(Message.assistant(None, thinking_blocks=blocks, refusal="no"))["content"] == [
        {"type": "reasoning", "reasoning": "sig", "summary": "hm", "redacted": True},
        {"type": "reasoning", "reasoning": "dark", "redacted": True},
        {"type": "text", "text": "no", "refusal": True},
    ]


def test_thinking_that_nobody_signed_is_readable() -> None:
    blocks = [{"type": "thinking", "thinking": "hm"}]
    message = Message.assistant("x", reasoning_content="hm", thinking_blocks=blocks)
    assert spelled(message)["content"] == [
        {"type": "reasoning", "reasoning": "hm", "redacted": False},
        {"type": "text", "text": "x"},
    ]


def test_the_same_history_has_the_same_ids_and_another_has_others() -> None:
    first = [Message.user("a"), Message.assistant("b")]
    assert chained_ids([*first, Message.user("c")])[:2] == chained_ids(first)
    assert chained_ids([Message.system("x"), *first])[1:] != chained_ids(first)


def test_a_pool_tells_where_its_items_are() -> None:
    pool = Pool()
    for item in "abcd":
        pool.add(item, item.encode())
    assert pool.ranges("abd") == [[0, 2], [3, 4]]
    assert pool.ranges("") == []
    assert pool.within([[0, 2], [3, 4]]) == [b"a", b"b", b"d"]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("text", {"result": "text"}),
        ({"a": 1}, {"result": '{"a":1}'}),
        (ToolResult(content=4), {"result": "4"}),
        (
            ToolResult(error="no"),
            {"result": "", "error": {"type": "unknown", "message": "no"}},
        ),
        (
            TimeoutError("slow"),
            {"result": "", "error": {"type": "timeout", "message": "TimeoutError: slow"}},
        ),
    ],
)
def test_a_tools_result_is_what_the_model_reads(result: Any, outcome: dict[str, Any]) -> None:
    event = to_tool_event({"id": "c", "name": "f", "arguments": {"x": 1}}, result, 0.5)
    del event["completed"]
    assert event == {
        "event": "tool",
        "type": "function",
        "id": "c",
        "function": "f",
        "arguments": {"x": 1},
        "working_time": 0.5,
        **outcome,
    }


def test_log_probabilities_that_json_cannot_say_are_left_out() -> None:
    tokens = [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -inf}]}]
    message = Message.assistant("a")
    choices = (
        Choice(message=message, logprobs={"content": tokens}),
        Choice(message=message, logprobs={"content": [{"token": "a", "logprob": -inf}]}),
    )
    given = CompletionResponse(choices=choices)
    call = ModelCall(request=REQUEST, response=given, began=NOON, ended=NOON + 2)
    output = event_of(call)["output"]
    assert [choice.get("logprobs") for choice in output["choices"]] == [
        {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]},
        None,
    ]
