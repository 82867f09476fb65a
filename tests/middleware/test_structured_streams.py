"""Structured on streams: the value as it grows, and DONE only for an answer that fits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import BaseModel, Field

from flashlite import Flashlite
from flashlite.errors import APIConnectionError, StreamInterruptedError, StructuredOutputError
from flashlite.middleware.structured import Structured
from flashlite.providers.mock import MockProvider
from flashlite.testing import ScriptedProvider
from flashlite.types import (
    CompletionRequest,
    CompletionResponse,
    Delta,
    Message,
    StreamEvent,
    StreamEventType,
    Target,
    ToolCallDelta,
    Usage,
    assemble,
)

TOKEN, PARTIAL, DONE = StreamEventType.TOKEN, StreamEventType.PARTIAL, StreamEventType.DONE


class Task(BaseModel):
    title: str
    points: int = Field(ge=1)


GOOD, BAD = '{"title": "sleep", "points": 3}', '{"title": "sleep", "points": 0}'
TASK = Task(title="sleep", points=3)
USED = Usage(input_tokens=10, output_tokens=5, total_cost=0.5)
REQUEST = CompletionRequest(
    model="m", messages=(Message.user("Hi"),), response_model=Task, stream=True
)
LAYER = Structured(target=lambda request: Target(provider="x", dialect="x", model=request.model))


class Stream:
    """A provider that streams these deltas once, and a note of what happened."""

    def __init__(self, *deltas: Delta | BaseException) -> None:
        self._deltas = deltas
        self.log = list[str]()

    @classmethod
    def of(cls, *texts: str | BaseException) -> Stream:
        end = (Delta(finish_reason="stop"), Delta(index=None, usage=USED))
        told = (Delta(text=text) if isinstance(text, str) else text for text in texts)
        return cls(*told, *end)

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.log.append("asked")
        response = await CompletionResponse.open(lambda whole: assemble(self._send(), whole))
        await response.on_complete(lambda whole: self.log.append(f"complete: {whole.ok}"))
        return response

    async def _send(self) -> AsyncGenerator[Delta]:
        try:
            for delta in self._deltas:
                if isinstance(delta, BaseException):
                    raise delta
                yield delta
        finally:
            self.log.append("closed")


async def read(
    response: CompletionResponse, seen: list[StreamEvent] | None = None
) -> list[StreamEvent]:
    events = [] if seen is None else seen
    async for event in response.events():
        events.append(event)
    return events


async def test_events_pass_and_the_value_grows_beside_them() -> None:
    stream = Stream.of('{"title": "sl', 'eep", "po', 'ints": 3', "}")
    response = await LAYER(REQUEST, stream)
    assert await read(response) == [
        StreamEvent(TOKEN, '{"title": "sl'),
        StreamEvent(PARTIAL, {"title": "sl"}),
        StreamEvent(TOKEN, 'eep", "po'),
        StreamEvent(PARTIAL, {"title": "sleep"}),
        StreamEvent(TOKEN, 'ints": 3'),
        StreamEvent(TOKEN, "}"),
        StreamEvent(PARTIAL, {"title": "sleep", "points": 3}),
        StreamEvent(StreamEventType.USAGE, USED),
        StreamEvent(DONE, response),
    ]
    assert (response.parsed, response.ok, response.wasted) == (TASK, True, None)
    assert stream.log == ["asked", "closed", "complete: True"]


async def test_a_stream_without_a_shape_is_left_alone() -> None:
    response = await LAYER(REQUEST.with_(response_model=None), Stream.of(BAD))
    assert [event.type for event in await read(response)] == [TOKEN, StreamEventType.USAGE, DONE]


async def test_an_answer_that_does_not_fit_ends_in_an_error_instead_of_done() -> None:
    stream, seen = Stream.of(BAD[:12], BAD[12:]), list[StreamEvent]()
    response = await LAYER(REQUEST, stream)
    with pytest.raises(StructuredOutputError) as caught:
        await read(response, seen)
    assert [event.type for event in seen] == [TOKEN, PARTIAL, TOKEN, PARTIAL, StreamEventType.USAGE]
    assert (
        caught.value.reason
        == response.error
        == (
            "the answer did not fit Task after 1 try: "
            "points: Input should be greater than or equal to 1; got 0"
        )
    )
    assert (caught.value.response, caught.value.usage, response.wasted) == (response, USED, USED)
    assert stream.log == ["asked", "closed", "complete: False"]


async def test_a_reader_who_leaves_at_the_last_value_leaves_no_answer_that_does_not_fit() -> None:
    text = '{"title": "' + "x" * 200 + '", "points": 0}'
    stream = Stream.of(text[:-1], "}")  # one more letter is too little to look at once
    response = await LAYER(REQUEST, stream)
    async with aclosing(response.events()) as events:
        async for event in events:
            if event.type is PARTIAL and "points" in event.data:
                break
    assert (response.ok, stream.log[-1]) == (False, "complete: False")


async def test_a_reader_who_stops_early_is_counted() -> None:
    stream = Stream.of(GOOD[:12], GOOD[12:])
    response = await LAYER(REQUEST, stream)
    async with aclosing(response.events()) as events:
        assert (await anext(events)).type is TOKEN
        assert (await anext(events)).type is PARTIAL
    assert (response.ok, response.parsed) == (False, None)
    assert stream.log == ["asked", "closed", "complete: False"]


async def test_an_answer_that_nobody_reads_can_be_closed() -> None:
    stream = Stream.of(GOOD)
    response = await LAYER(REQUEST, stream)
    await response.aclose()
    assert stream.log == ["asked", "closed", "complete: False"]


async def test_a_stream_that_breaks_raises_what_broke_it() -> None:
    broken = APIConnectionError("cut")
    stream = Stream.of(GOOD[:12], broken)
    response = await LAYER(REQUEST, stream)
    with pytest.raises(APIConnectionError) as caught:
        await read(response)
    assert (caught.value is broken, response.error) == (True, "cut")
    assert stream.log == ["asked", "closed", "complete: False"]


async def test_a_stream_that_ends_without_done_is_no_answer() -> None:
    async def endless(whole: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        yield StreamEvent(TOKEN, GOOD)

    async def provider(request: CompletionRequest) -> CompletionResponse:
        return await CompletionResponse.open(endless)

    response = await LAYER(REQUEST, provider)
    with pytest.raises(StreamInterruptedError):
        await read(response)


async def test_an_answer_that_was_cut_off_says_so() -> None:
    response = await LAYER(REQUEST, Stream(Delta(text=GOOD), Delta(finish_reason="length")))
    with pytest.raises(StructuredOutputError, match="cut off by max_tokens"):
        await read(response)


async def test_tool_calls_end_with_done() -> None:
    call = Delta(tool_call=ToolCallDelta(0, "1", "look", "{}"))
    response = await LAYER(REQUEST, Stream(call, Delta(finish_reason="tool_calls")))
    events = await read(response)
    assert (events[-1].type, response.parsed, response.has_tool_calls) == (DONE, None, True)


async def test_other_choices_are_neither_shown_nor_read() -> None:
    stream = Stream(
        Delta(text=GOOD),
        Delta(text=BAD, index=1),
        Delta(finish_reason="stop"),
        Delta(finish_reason="stop", index=1),
    )
    response = await LAYER(REQUEST, stream)
    values = [event.data for event in await read(response) if event.type is PARTIAL]
    assert (values, response.parsed) == ([{"title": "sleep", "points": 3}], TASK)


async def test_a_list_grows_without_the_object_around_it() -> None:
    request = REQUEST.with_(response_model=list[int])
    response = await LAYER(request, Stream.of('{"value', '": [1, 2', ", 3", "]}"))
    values = [event.data for event in await read(response) if event.type is PARTIAL]
    assert values == [[1], [1, 2], [1, 2, 3]]
    assert response.parsed == [1, 2, 3]


async def test_a_long_answer_is_not_read_anew_for_each_token() -> None:
    letters = 20_000
    response = await LAYER(REQUEST, Stream.of('{"title": "', *"x" * letters, '", "points": 1}'))
    events = await read(response)
    values = [event.data for event in events if event.type is PARTIAL]
    read_in_all = sum(len(json.dumps(value)) for value in values)
    assert read_in_all < 60 * letters
    assert values[-1] == {"title": "x" * letters, "points": 1}


async def test_cancelling_a_reader_closes_the_stream() -> None:
    waiting, log = asyncio.Event(), list[str]()

    async def deltas() -> AsyncGenerator[Delta]:
        try:
            yield Delta(text=GOOD[:12])
            waiting.set()
            await asyncio.Event().wait()
        finally:
            log.append("closed")

    async def provider(request: CompletionRequest) -> CompletionResponse:
        return await CompletionResponse.open(lambda whole: assemble(deltas(), whole))

    response = await LAYER(REQUEST, provider)
    reader = asyncio.ensure_future(read(response))
    await waiting.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert (log, response.ok) == (["closed"], False)


async def test_a_provider_that_does_not_stream_is_asked_again_as_usual() -> None:
    provider = ScriptedProvider([BAD, GOOD])
    response = await LAYER(REQUEST, provider)
    assert (response.parsed, [asked.stream for asked in provider.requests]) == (TASK, [True, False])


async def test_a_hundred_streams_at_once_keep_their_own_values() -> None:
    async def one(number: int) -> Any:
        text = json.dumps({"title": str(number), "points": number + 1})
        response = await LAYER(REQUEST, Stream.of(*text))
        await read(response)
        return response.parsed.points

    assert await asyncio.gather(*map(one, range(100))) == list(range(1, 101))


async def test_client_layer_and_provider_agree_over_the_wire() -> None:
    client = Flashlite("mock/json", provider=MockProvider("json"))
    events = [event async for event in client.stream("Hi", response_model=Task)]
    assert events[-1].data.parsed == Task(title="text", points=1)
    assert StreamEvent(PARTIAL, {"title": "text", "points": 1}) in events
