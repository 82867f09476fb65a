"""The OpenAI dialect, streamed: every event and the answer that they end in."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite import Flashlite
from flashlite.errors import CompletionError
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import StreamEvent

from .cases import check_answer, event_stream, load, plain, spoiled

CASES = load("openai_stream")


async def read(reply: Reply, **options: Any) -> tuple[list[StreamEvent], CompletionError | None]:
    """Read a stream to its end: the events, and the error if it broke."""
    client = Flashlite(
        "openai/m",
        api_key="a-test-key",
        transport=ReplayTransport([reply]),
        retry=RetryConfig(max_attempts=1),
    )
    events: list[StreamEvent] = []
    try:
        async for event in client.stream("Hi", **options):
            events.append(event)  # noqa: PERF401 - what came before an error counts
    except CompletionError as error:
        return events, error
    return events, None


@pytest.mark.parametrize("case", CASES)
async def test_a_stream_is_its_events_and_its_answer(case: dict[str, Any]) -> None:
    events, error = await read(event_stream(case["reply"]), **case.get("request", {}))
    assert [plain(event) for event in events] == case["events"]
    if "error" in case:
        expected = {"status_code": None, "code": None, "retryable": True, **case["error"]}
        assert error is not None
        assert {name: getattr(error, name) for name in expected if name != "type"} | {
            "type": type(error).__name__
        } == expected
        assert (error.provider, error.model) == ("openai", "m")
    else:
        assert error is None
        assert plain(events[-1].data) == case["response"]


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


@settings(deadline=None)
@given(case=st.sampled_from(CASES), data=st.data())
async def test_bytes_cut_anywhere_give_the_same_events(case: Any, data: st.DataObject) -> None:
    (values,) = case.values
    reply = event_stream(values["reply"])
    whole = b"".join(chunk for chunk in reply.chunks if isinstance(chunk, bytes))
    broken = [chunk for chunk in reply.chunks if not isinstance(chunk, bytes)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)))))
    pieces = [whole[start:end] for start, end in pairwise([0, *cuts, len(whole)])]
    events, error = await read(replace(reply, chunks=(*pieces, *broken)))
    same, same_error = await read(reply)
    assert [plain(event) for event in events] == [plain(event) for event in same]
    assert str(error) == str(same_error)
    if error is None:
        assert plain(events[-1].data) == plain(same[-1].data)


@pytest.mark.parametrize("case", CASES)
async def test_bytes_that_come_one_by_one_give_the_same_events(case: dict[str, Any]) -> None:
    reply = event_stream(case["reply"])
    single = [
        [bytes([byte]) for byte in chunk] if isinstance(chunk, bytes) else [chunk]
        for chunk in reply.chunks
    ]
    events, _ = await read(replace(reply, chunks=tuple(chain(*single))))
    assert [plain(event) for event in events] == case["events"]


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
