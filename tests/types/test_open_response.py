import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from flashlite.errors import (
    APIConnectionError,
    ConfigError,
    RateLimitError,
    StreamInterruptedError,
)
from flashlite.types import (
    Choice,
    CompletionResponse,
    Message,
    StreamEvent,
    StreamEventType,
)

TOKEN, DONE = StreamEventType.TOKEN, StreamEventType.DONE


class Script:
    """A stream of these texts, and a note of when it was closed."""

    def __init__(self, *texts: str | BaseException) -> None:
        self._texts = texts
        self.log: list[str] = []

    async def __call__(self, response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        said = ""
        try:
            for text in self._texts:
                if isinstance(text, BaseException):
                    raise text
                said += text
                response.choices = (Choice(message=Message.assistant(said)),)
                yield StreamEvent(TOKEN, text)
            response.choices = (Choice(message=Message.assistant(said), finish_reason="stop"),)
            yield StreamEvent(DONE, response)
        finally:
            self.log.append("closed")

    def complete(self, response: CompletionResponse) -> None:
        self.log.append(f"complete: {response.content!r}, {response.finish_reason}")


async def opened(*texts: str | BaseException) -> tuple[CompletionResponse, Script]:
    script = Script(*texts)
    response = await CompletionResponse.open(script)
    await response.on_complete(script.complete)
    return response, script


async def read(response: CompletionResponse) -> list[StreamEvent]:
    return [event async for event in response.events()]


async def test_an_open_answer_is_complete_after_its_last_event() -> None:
    response, script = await opened("Hel", "lo")
    async for event in response.events():
        script.log.append(event.type)
    assert script.log == ["token", "token", "closed", "complete: 'Hello', stop", "done"]


async def test_a_reader_who_leaves_at_the_last_event_has_a_complete_answer() -> None:
    response, script = await opened("Hi")
    async for event in response.events():
        if event.type is DONE:
            break
    assert (script.log, response.is_open) == (["closed", "complete: 'Hi', stop"], False)


async def test_every_callback_runs_even_if_one_raises_or_has_to_be_awaited() -> None:
    response, script = await opened("Hi")

    def fail(_: CompletionResponse) -> None:
        raise ZeroDivisionError

    async def wait(answer: CompletionResponse) -> None:
        await asyncio.sleep(0)
        script.complete(answer)

    await response.on_complete(fail)
    await response.on_complete(wait)
    with pytest.raises(ZeroDivisionError):
        await response.aclose()
    assert script.log == ["closed", "complete: 'Hi', None", "complete: 'Hi', None"]


async def test_an_open_answer_that_is_dropped_gives_back_what_it_holds() -> None:
    response, script = await opened("Hel", "lo")

    async def too_late(_: CompletionResponse) -> None:
        raise AssertionError("nobody awaits this")

    await response.on_complete(too_late)
    del response
    gc.collect()
    for _ in range(3):  # the loop closes a stream that it finds dropped
        await asyncio.sleep(0)
    assert sorted(script.log) == ["closed", "complete: 'Hel', None"]


async def test_a_stream_that_ends_without_its_last_event_is_no_answer() -> None:
    async def endless(response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        yield StreamEvent(TOKEN, "Hel")

    response = await CompletionResponse.open(endless)
    with pytest.raises(StreamInterruptedError) as caught:
        await read(response)
    assert str(caught.value) == "the stream ended without its last event"


async def test_an_answer_is_open_until_it_was_read() -> None:
    response, _ = await opened("Hi")
    assert response.is_open
    assert await read(response) == [
        StreamEvent(TOKEN, "Hi"),
        StreamEvent(DONE, response),
    ]
    assert not response.is_open


async def test_a_reader_who_stops_early_makes_the_answer_complete() -> None:
    response, script = await opened("Hel", "lo")
    async with aclosing(response.events()) as events:
        assert await anext(events) == StreamEvent(TOKEN, "Hel")
    assert script.log == ["closed", "complete: 'Hel', None"]


async def test_an_open_answer_can_be_given_up_unread() -> None:
    response, script = await opened("Hel", "lo")
    await response.aclose()
    assert (script.log, response.is_open) == (["closed", "complete: 'Hel', None"], False)


async def test_an_answer_can_be_closed_again_and_again() -> None:
    response, script = await opened("Hi")
    assert (await read(response))[-1] == StreamEvent(DONE, response)
    await response.aclose()
    await response.aclose()
    assert script.log == ["closed", "complete: 'Hi', stop"]


async def test_closing_a_whole_answer_does_nothing() -> None:
    response = CompletionResponse.of("Hi")
    await response.aclose()
    assert response.content == "Hi"


async def test_an_error_in_the_stream_makes_the_answer_complete() -> None:
    broken = APIConnectionError("the connection broke")
    response, script = await opened("Hel", broken)
    with pytest.raises(APIConnectionError) as caught:
        await read(response)
    assert caught.value is broken
    assert script.log == ["closed", "complete: 'Hel', None"]


async def test_an_error_in_the_reader_makes_the_answer_complete() -> None:
    response, script = await opened("Hel", "lo")

    async def fail() -> None:
        async with aclosing(response.events()) as events:
            async for _ in events:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert script.log == ["closed", "complete: 'Hel', None"]


async def test_a_cancelled_reader_makes_the_answer_complete() -> None:
    waits, log = asyncio.Event(), list[str]()

    async def source(response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        try:
            yield StreamEvent(TOKEN, "Hel")
            waits.set()
            await asyncio.Event().wait()
        finally:
            log.append("closed")

    response = await CompletionResponse.open(source)
    await response.on_complete(lambda _: log.append("complete"))
    reader = asyncio.create_task(read(response))
    await waits.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert log == ["closed", "complete"]


async def test_callbacks_run_in_their_order_and_once() -> None:
    response, _ = await opened("Hi")
    order = list[int]()
    for number in range(3):
        await response.on_complete(lambda _, number=number: order.append(number))  # type: ignore[misc]
    await response.aclose()
    await response.aclose()
    assert order == [0, 1, 2]


async def test_who_asks_after_the_end_is_called_at_once() -> None:
    response, script = await opened("Hi")
    await response.aclose()
    await response.on_complete(script.complete)
    assert script.log == ["closed", "complete: 'Hi', None", "complete: 'Hi', None"]


async def test_an_answer_that_was_read_can_be_played_again() -> None:
    response, _ = await opened("Hel", "lo")
    assert len(await read(response)) == 3
    assert await read(response) == [
        StreamEvent(TOKEN, "Hello"),
        StreamEvent(DONE, response),
    ]


async def test_a_second_reader_is_refused_while_the_first_one_reads() -> None:
    response, _ = await opened("Hel", "lo")
    async with aclosing(response.events()) as events:
        await anext(events)
        with pytest.raises(ConfigError) as caught:
            await anext(response.events())
    assert str(caught.value) == (
        "somebody is reading this answer: read events() once, or afterwards"
    )


async def test_open_raises_an_error_that_comes_before_the_first_event() -> None:
    refused = RateLimitError("slow down")
    script = Script(refused)
    with pytest.raises(RateLimitError) as caught:
        await CompletionResponse.open(script)
    assert caught.value is refused
    assert script.log == ["closed"]


async def test_open_refuses_a_stream_without_events() -> None:
    async def nothing(response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        return
        yield

    with pytest.raises(StreamInterruptedError) as caught:
        await CompletionResponse.open(nothing)
    assert str(caught.value) == "the stream ended before its first event"


async def test_cancelling_open_closes_the_stream() -> None:
    waits, log = asyncio.Event(), list[str]()

    async def source(response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        try:
            waits.set()
            await asyncio.Event().wait()
            yield StreamEvent(TOKEN, "never")
        finally:
            log.append("closed")

    opening = asyncio.create_task(CompletionResponse.open(source))
    await waits.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert log == ["closed"]


async def test_open_takes_the_fields_that_are_known_before() -> None:
    response = await CompletionResponse.open(Script("Hi"), model="m", provider="p")
    assert (response.model, response.provider) == ("m", "p")
    await response.aclose()
