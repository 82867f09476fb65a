from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

import pytest

from flashlite.errors import APIConnectionError, FlashliteError, StreamInterruptedError
from flashlite.types import (
    Choice,
    CompletionResponse,
    Delta,
    Message,
    StreamEvent,
    StreamEventType,
    Usage,
    assemble,
)

TOKEN, USAGE, DONE = StreamEventType.TOKEN, StreamEventType.USAGE, StreamEventType.DONE
STOP = Delta(finish_reason="stop")


async def stream(deltas: Iterable[Delta | BaseException]) -> AsyncGenerator[Delta]:
    for delta in deltas:
        if isinstance(delta, BaseException):
            raise delta
        yield delta


async def read(
    *deltas: Delta | BaseException, upto: int | None = None
) -> tuple[list[StreamEvent], CompletionResponse, FlashliteError | None]:
    """Assemble a stream and read it, perhaps only its first events."""
    response, events = CompletionResponse(model="asked", id="none yet"), list[StreamEvent]()
    try:
        async with aclosing(assemble(stream(deltas), response)) as assembled:
            async for event in assembled:
                events.append(event)
                if len(events) == upto:
                    break
    except FlashliteError as error:
        return events, response, error
    return events, response, None


async def test_a_stream_ends_with_the_response_that_it_filled_in() -> None:
    used = Usage(input_tokens=3, output_tokens=1)
    events, response, error = await read(
        Delta(index=None, facts={"id": "r1", "model": "real", "tier": "fast"}),
        Delta(text="Hi"),
        STOP,
        Delta(index=None, usage=used),
    )
    assert events == [
        StreamEvent(TOKEN, "Hi"),
        StreamEvent(USAGE, used),
        StreamEvent(DONE, response),
    ]
    assert events[-1].data is response
    assert (response.choices, response.usage, response.id, response.model, response.facts) == (
        (Choice(message=Message.assistant("Hi"), finish_reason="stop"),),
        used,
        "r1",
        "real",
        {"tier": "fast"},
    )
    assert error is None


async def test_a_server_that_does_not_say_them_leaves_id_and_model_as_they_were() -> None:
    _, response, _ = await read(STOP)
    assert (response.id, response.model, response.facts) == ("none yet", "asked", {})


async def test_usage_has_its_price_before_anybody_sees_it() -> None:
    response, priced = priced_stream(Delta(usage=Usage(input_tokens=3)), STOP)
    first, *_ = [event async for event in priced]
    assert first == StreamEvent(USAGE, Usage(input_tokens=3, total_cost=1.5))
    assert response.usage == first.data


async def test_what_a_stream_costs_that_was_not_read_to_its_end_nobody_knows() -> None:
    response, priced = priced_stream(Delta(usage=Usage(input_tokens=3)), Delta(text="Hel"), STOP)
    async with aclosing(priced):
        await anext(priced)
    assert (response.usage, response.cost) == (Usage(input_tokens=3), None)


def priced_stream(*deltas: Delta) -> tuple[CompletionResponse, AsyncGenerator[StreamEvent]]:
    """Return a stream that costs half a dollar a token, and its answer."""
    response = CompletionResponse()
    events = assemble(
        stream(deltas),
        response,
        price=lambda usage: replace(usage, total_cost=usage.input_tokens * 0.5),
    )
    return response, events


async def test_a_reader_who_stops_early_leaves_what_had_arrived() -> None:
    events, response, error = await read(
        Delta(index=None, facts={"id": "r1", "tier": "fast"}),
        Delta(text="Hel"),
        Delta(text="lo"),
        Delta(text=" there"),
        STOP,
        upto=2,
    )
    assert events == [StreamEvent(TOKEN, "Hel"), StreamEvent(TOKEN, "lo")]
    assert (response.content, response.finish_reason, response.id, response.facts) == (
        "Hello",
        None,
        "r1",
        {"tier": "fast"},
    )
    assert error is None


async def test_a_stream_that_breaks_leaves_what_had_arrived() -> None:
    broken = APIConnectionError("the connection broke")
    events, response, error = await read(Delta(text="Hel"), broken, STOP)
    assert (events, response.content, response.finish_reason) == (
        [StreamEvent(TOKEN, "Hel")],
        "Hel",
        None,
    )
    assert error is broken


async def test_a_stream_that_ends_too_soon_leaves_what_had_arrived() -> None:
    events, response, error = await read(Delta(text="Hel"))
    assert (events, response.content) == ([StreamEvent(TOKEN, "Hel")], "Hel")
    assert isinstance(error, StreamInterruptedError)


async def test_a_stream_with_fewer_answers_than_asked_for_is_no_answer() -> None:
    response = CompletionResponse()
    with pytest.raises(StreamInterruptedError):
        _ = [event async for event in assemble(stream([STOP]), response, choices=2)]
    assert (response.ok, len(response.choices)) == (False, 1)


async def test_what_a_broken_stream_left_is_not_played_as_an_answer() -> None:
    response = await CompletionResponse.open(
        lambda response: assemble(stream([Delta(text="Hel"), APIConnectionError("cut")]), response)
    )
    with pytest.raises(APIConnectionError):
        _ = [event async for event in response.events()]
    assert (response.ok, response.error, response.content) == (False, "cut", "Hel")
    with pytest.raises(StreamInterruptedError) as caught:
        _ = [event async for event in response.events()]
    assert str(caught.value) == "cut"


async def test_a_reader_who_stops_early_leaves_no_answer() -> None:
    _, response, _ = await read(Delta(text="Hel"), Delta(text="lo"), STOP, upto=1)
    assert (response.ok, response.error) == (False, "the stream was not read to its end")


@pytest.mark.parametrize("upto", [1, None])
async def test_the_source_is_closed_at_every_end(upto: int | None) -> None:
    closed = list[str]()

    async def source() -> AsyncGenerator[Delta]:
        try:
            yield Delta(text="Hi")
            yield STOP
        finally:
            closed.append("closed")

    async with aclosing(assemble(source(), CompletionResponse())) as events:
        seen = 0
        async for _ in events:
            seen += 1
            if seen == upto:
                break
    assert closed == ["closed"]
