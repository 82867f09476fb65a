"""The Bedrock dialect, streamed in binary frames: every event and the answer that they end in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite import Flashlite
from flashlite.errors import StreamInterruptedError
from flashlite.providers.bedrock.event_stream import EventStreamParser
from flashlite.testing import ReplayTransport, Reply
from flashlite.wire import SSEvent

from .aws_frames import binary_stream, frame
from .cases import check_answer, spoiled
from .streams import SPEAKERS

read = SPEAKERS["bedrock"].read


async def test_a_stream_is_asked_for_at_an_address_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    reply = binary_stream([["messageStop", {"stopReason": "end_turn"}]])
    transport = ReplayTransport([reply])
    client = Flashlite("bedrock/us.acme.model-v1:0", api_key="a-test-key", transport=transport)
    assert [event.type async for event in client.stream("Hi")] == ["done"]
    (sent,) = transport.requests
    assert (sent.url, sent.json) == (
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/us.acme.model-v1:0/converse-stream",
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
    )


TEXT = [
    ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}],
    ["messageStop", {"stopReason": "end_turn"}],
]


@pytest.mark.parametrize("left_off", [1, 20, 110])
async def test_a_stream_that_ends_inside_a_frame_is_no_answer(left_off: int) -> None:
    reply = binary_stream(TEXT)
    whole = b"".join(chunk for chunk in reply.chunks if isinstance(chunk, bytes))
    _, error = await read(replace(reply, chunks=(whole[:-left_off],)))
    assert isinstance(error, StreamInterruptedError)


@settings(max_examples=50)
@given(data=st.data())
async def test_a_spoiled_byte_is_never_read(data: st.DataObject) -> None:
    reply = binary_stream(TEXT)
    whole = bytearray(b"".join(chunk for chunk in reply.chunks if isinstance(chunk, bytes)))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    _, error = await read(replace(reply, chunks=(bytes(whole),)))
    assert isinstance(error, StreamInterruptedError)


async def test_a_page_instead_of_a_stream_is_no_answer() -> None:
    page = Reply(headers={"content-type": "text/html"}, chunks=(b"<html>busy</html>",))
    events, error = await read(page)
    assert events == []
    assert isinstance(error, StreamInterruptedError)


@pytest.mark.parametrize("value", [b"\xff", b"\x00\x01"])
def test_headers_that_are_none_break_the_stream(value: bytes) -> None:
    broken = frame({"x": "y"}, b"{}").replace(b"\x01x\x07", b"\x01x" + value[:1])
    with pytest.raises(StreamInterruptedError):
        list(EventStreamParser().feed(broken))


def test_events_are_named_by_their_headers() -> None:
    parser = EventStreamParser()
    told = frame({":message-type": "event", ":event-type": "metadata"}, b"{}")
    wrong = frame({":message-type": "exception", ":exception-type": "throttlingException"}, b"{}")
    failed = frame({":message-type": "error", ":error-code": "500", ":error-message": "x"}, b"")
    assert list(parser.feed(told + wrong + failed)) == [
        SSEvent(b"{}", event="metadata"),
        SSEvent(b"{}", event="error:throttlingException"),
        SSEvent(b'{"message":"x"}', event="error:500"),
    ]
    assert list(parser.close()) == []


EVENTS = [
    ["messageStart", {"role": "assistant"}],
    ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm"}}}],
    [
        "contentBlockDelta",
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}},
    ],
    [
        "contentBlockDelta",
        {"contentBlockIndex": 1, "delta": {"reasoningContent": {"redactedContent": "cmVk"}}},
    ],
    ["contentBlockDelta", {"contentBlockIndex": 2, "delta": {"text": "Hello"}}],
    [
        "contentBlockDelta",
        {
            "contentBlockIndex": 2,
            "delta": {"citation": {"title": "A", "location": {"web": {"url": "https://a.b"}}}},
        },
    ],
    [
        "contentBlockStart",
        {"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}},
    ],
    ["contentBlockDelta", {"contentBlockIndex": 3, "delta": {"toolUse": {"input": "{}"}}}],
    ["contentBlockStop", {"contentBlockIndex": 3}],
    ["messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"x": 1}}],
    [
        "metadata",
        {
            "usage": {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": 3},
            "metrics": {"latencyMs": 5},
            "trace": {"promptRouter": {"invokedModelId": "m"}},
            "serviceTier": {"type": "default"},
        },
    ],
]
PAYLOADS = [payload for _, payload in EVENTS]


@settings(max_examples=50)
@given(spoiled(PAYLOADS).filter(lambda told: isinstance(told, list)))
async def test_any_json_in_any_place_of_a_stream_is_an_answer_or_a_typed_error(told: Any) -> None:
    kinds = [kind for kind, _ in EVENTS]
    events, error = await read(binary_stream(list(zip(kinds, told, strict=False))))
    if error is None:
        check_answer(events[-1].data)
