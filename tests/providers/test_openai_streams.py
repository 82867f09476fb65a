"""The OpenAI dialect, streamed: every event and the answer that they end in."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from flashlite import Flashlite
from flashlite.testing import ReplayTransport, Reply

from .cases import check_answer, event_stream, plain, spoiled
from .streams import SPEAKERS

read = SPEAKERS["openai"].read


async def test_a_stream_is_asked_for_with_its_usage() -> None:
    transport = ReplayTransport([Reply.stream([{"choices": [{"finish_reason": "stop"}]}])])
    client = Flashlite("openai/m", api_key="a-test-key", transport=transport)
    assert [event.type async for event in client.stream("Hi")] == ["done"]
    assert transport.requests[0].json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_a_server_that_does_not_stream_is_played_as_if_it_did() -> None:
    call = {"id": "call_a", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    message = {
        "role": "assistant",
        "content": "Hello",
        "reasoning_content": "Hm.",
        "tool_calls": [call],
    }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    events, error = await read(Reply.of({"id": "c1", "choices": [choice], "usage": usage}))
    assert error is None
    assert [plain(event) for event in events] == [
        ["reasoning", "Hm.", 0],
        ["token", "Hello", 0],
        ["tool_call_start", {"index": 0, "id": "call_a", "name": "now"}, 0],
        ["tool_call_delta", {"index": 0, "id": "call_a", "name": "now", "arguments": "{}"}, 0],
        ["tool_call_end", call, 0],
        ["usage", {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}, 0],
        ["done"],
    ]
    assert plain(events[-1].data) == {
        "id": "c1",
        "provider": "openai",
        "choices": [choice],
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
    }


async def test_a_last_event_without_its_blank_line_counts() -> None:
    lines = b'data: {"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}]}'
    events, error = await read(
        Reply(headers={"content-type": "text/event-stream"}, chunks=(lines,))
    )
    assert error is None
    assert [plain(event) for event in events] == [["token", "ok", 0], ["done"]]


async def test_a_page_instead_of_a_stream_is_no_answer() -> None:
    page = Reply(headers={"content-type": "text/html"}, chunks=(b"<html>busy</html>",))
    events, error = await read(page)
    assert (events, str(error)) == (
        [],
        "openai/m: the stream ended before the answer was finished",
    )


CHUNKS = [
    {
        "id": "c1",
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "delta": {
                    "role": "assistant",
                    "content": "Hello",
                    "reasoning_content": "Hm.",
                    "refusal": "No.",
                    "tool_calls": [
                        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}
                    ],
                },
                "finish_reason": None,
                "logprobs": {"content": [{"token": "a", "logprob": -1.0}], "refusal": None},
            }
        ],
        "error": None,
    },
    {
        "choices": [
            {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}}
        ]
    },
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {
        "choices": [],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "total_tokens": 7,
            "cost": 0.5,
            "prompt_tokens_details": {"cached_tokens": 1},
        },
    },
]


@settings(deadline=None)
@given(spoiled(CHUNKS).filter(lambda chunks: isinstance(chunks, list)))
async def test_any_json_in_any_place_of_a_stream_is_an_answer_or_a_typed_error(chunks: Any) -> None:
    events, error = await read(
        event_stream(f"data: {json.dumps(chunk)}" for chunk in chunks), model="openai/gpt-4o"
    )
    if error is None:
        check_answer(events[-1].data)
