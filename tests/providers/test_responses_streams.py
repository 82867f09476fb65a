"""The Responses dialect, streamed: every event and the answer that they end in."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite.errors import CompletionError
from flashlite.testing import Reply
from flashlite.types import StreamEvent

from .cases import check_answer, event_stream, load, plain, spoiled
from .test_responses_answers import client

CASES = load("responses_stream")


async def read(reply: Reply) -> tuple[list[StreamEvent], CompletionError | None]:
    """Read a stream to its end: the events, and the error if it broke."""
    events: list[StreamEvent] = []
    try:
        async for event in client(reply).stream("Hi"):
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
        assert (error.provider, error.model) == ("openai", "m")
    else:
        assert error is None
        assert plain(events[-1].data) == case["response"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "response.failed", "response": {"error": None}}, "the model failed to answer"),
        (
            {"type": "response.output_item.done", "item": {"type": "text"}},
            "the stream broke off: not an event of an answer: an item of the answer is a mere text",
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
