"""Gemini's dialect, streamed: every event and the answer that they end in."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
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

CASES = load("google_stream")


async def read(reply: Reply, **options: Any) -> tuple[list[StreamEvent], CompletionError | None]:
    """Read a stream to its end: the events, and the error if it broke."""
    client = Flashlite(
        "google/m",
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
    events, error = await read(event_stream(case["reply"]))
    assert [plain(event) for event in events] == case["events"]
    if "error" in case:
        expected = {"status_code": None, "code": None, "retryable": True, **case["error"]}
        assert error is not None
        assert {name: getattr(error, name) for name in expected if name != "type"} | {
            "type": type(error).__name__
        } == expected
        assert (error.provider, error.model) == ("google", "m")
    else:
        assert error is None
        assert plain(events[-1].data) == case["response"]


async def test_a_stream_has_an_address_of_its_own() -> None:
    chunk = {"candidates": [{"finishReason": "STOP"}]}
    transport = ReplayTransport([Reply.stream([chunk])])
    client = Flashlite("google/m", api_key="a-test-key", transport=transport)
    assert [event.type async for event in client.stream("Hi")] == ["done"]
    (sent,) = transport.requests
    assert sent.url == (
        "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse"
    )
    assert sent.json == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


async def test_a_stream_that_comes_as_one_list_is_played_as_if_it_had_come_in_pieces() -> None:
    chunks = [
        {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "lo"}]}, "finishReason": "STOP"}]},
    ]
    events, error = await read(Reply.of(chunks))
    assert error is None
    assert [plain(event) for event in events] == [["token", "Hello", 0], ["done"]]


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


CHUNKS = [
    {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "Hm", "thought": True},
                        {"text": "Hello", "thoughtSignature": "S"},
                        {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "T"},
                        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                    ]
                }
            }
        ],
        "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1},
        "modelVersion": "m-1",
        "responseId": "r1",
    },
    {
        "candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 1,
            "candidatesTokenCount": 2,
            "totalTokenCount": 3,
        },
    },
]


@settings(deadline=None)
@given(spoiled(CHUNKS).filter(lambda chunks: isinstance(chunks, list)))
async def test_any_json_in_any_place_of_a_stream_is_an_answer_or_a_typed_error(chunks: Any) -> None:
    events, error = await read(
        event_stream(f"data: {json.dumps(chunk)}" for chunk in chunks),
        model="google/gemini-2.5-flash",
    )
    if error is None:
        check_answer(events[-1].data)
