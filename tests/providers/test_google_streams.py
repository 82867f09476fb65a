"""Gemini's dialect, streamed: every event and the answer that they end in."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from flashlite import Flashlite
from flashlite.testing import ReplayTransport, Reply

from .cases import check_answer, event_stream, plain, spoiled
from .streams import SPEAKERS

read = SPEAKERS["google"].read


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
