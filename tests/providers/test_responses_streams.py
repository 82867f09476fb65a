"""The Responses dialect, streamed: every event and the answer that they end in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from flashlite.testing import Reply

from .cases import check_answer, event_stream, load, spoiled
from .streams import SPEAKERS
from .test_responses_answers import client

CASES = load("responses_stream")


read = SPEAKERS["responses"].read


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "response.failed", "response": {"error": None}}, "the model failed to answer"),
        (
            {"type": "response.output_item.done", "item": {"type": "text"}},
            "the stream broke off: not an event of an answer: "
            "TypeError('an item of the answer is a mere text')",
        ),
    ],
)
async def test_an_odd_event_is_an_error(event: Any, reason: str) -> None:
    events, error = await read(
        event_stream([event, {"type": "response.completed", "response": {"output": []}}])
    )
    assert events == []
    assert error is not None
    assert error.reason == reason


async def test_a_stream_is_asked_for() -> None:
    bodies: list[Any] = []
    done = {"type": "response.completed", "response": {"output": []}}
    asking = client(Reply.stream([done]), on_send=bodies.append)
    assert [event.type async for event in asking.stream("Hi")] == ["done"]
    assert bodies == [
        {
            "model": "m",
            "input": [{"role": "user", "content": "Hi"}],
            "store": False,
            "stream": True,
        }
    ]


WHOLE = CASES[1].values[0]["reply"][:-1]


@settings(deadline=None)
@given(spoiled(WHOLE))
async def test_any_json_in_any_event_is_an_answer_or_a_typed_error(chunks: Any) -> None:
    reply = event_stream([chunks] if not isinstance(chunks, list) or not chunks else chunks)
    events, error = await read(reply)
    if error is None:
        check_answer(events[-1].data)
        assert events[-1].type == "done"
    else:
        assert (error.provider, error.model) == ("openai", "m")
