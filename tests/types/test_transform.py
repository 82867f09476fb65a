from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from flashlite.errors import ConfigError, StreamInterruptedError
from flashlite.types import Choice, CompletionResponse, Message, StreamEvent, StreamEventType

TOKEN, META, DONE = StreamEventType.TOKEN, StreamEventType.META, StreamEventType.DONE


async def opened(log: list[str], *texts: str) -> CompletionResponse:
    async def source(response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        try:
            for text in texts:
                yield StreamEvent(TOKEN, text)
            response.choices = (Choice(message=Message.assistant("".join(texts))),)
            yield StreamEvent(DONE, response)
        finally:
            log.append("closed")

    response = await CompletionResponse.open(source)
    await response.on_complete(lambda whole: log.append(f"complete: {whole.content!r}"))
    return response


def tagged(tag: str, log: list[str]):  # type: ignore[no-untyped-def]
    async def change(
        events: AsyncGenerator[StreamEvent], response: CompletionResponse
    ) -> AsyncGenerator[StreamEvent]:
        try:
            async for event in events:
                if event.type is DONE:
                    yield StreamEvent(META, {"tag": tag})
                yield event
        finally:
            log.append(tag)

    return change


async def read(response: CompletionResponse) -> list[StreamEvent]:
    return [event async for event in response.events()]


async def test_events_pass_through_every_change_the_last_one_outermost() -> None:
    log = list[str]()
    response = await opened(log, "Hel", "lo")
    response.transform(tagged("inner", log))
    response.transform(tagged("outer", log))
    assert response.is_open
    assert await read(response) == [
        StreamEvent(TOKEN, "Hel"),
        StreamEvent(TOKEN, "lo"),
        StreamEvent(META, {"tag": "inner"}),
        StreamEvent(META, {"tag": "outer"}),
        StreamEvent(DONE, response),
    ]
    assert log == ["outer", "inner", "closed", "complete: 'Hello'"]


@pytest.mark.parametrize("changes", [1, 2])
async def test_an_answer_that_nobody_reads_closes_its_source(changes: int) -> None:
    log = list[str]()
    response = await opened(log, "Hel", "lo")
    for _ in range(changes):
        response.transform(tagged("change", log))
    await response.aclose()
    await response.aclose()
    assert (log, response.is_open) == (["closed", "complete: ''"], False)


async def test_a_reader_who_stops_early_closes_everything() -> None:
    log = list[str]()
    response = await opened(log, "Hel", "lo")
    response.transform(tagged("change", log))
    async with aclosing(response.events()) as events:
        await anext(events)
    assert log == ["change", "closed", "complete: ''"]


async def test_an_error_in_a_change_reaches_the_reader_and_closes_everything() -> None:
    log = list[str]()

    async def fail(
        events: AsyncGenerator[StreamEvent], response: CompletionResponse
    ) -> AsyncGenerator[StreamEvent]:
        async for event in events:
            yield event
            raise ZeroDivisionError

    response = await opened(log, "Hel", "lo")
    response.transform(fail)
    with pytest.raises(ZeroDivisionError):
        await read(response)
    assert log == ["closed", "complete: ''"]


async def test_a_change_that_swallows_the_end_leaves_no_answer() -> None:
    async def swallow(
        events: AsyncGenerator[StreamEvent], response: CompletionResponse
    ) -> AsyncGenerator[StreamEvent]:
        async for event in events:
            if event.type is not DONE:
                yield event

    response = await opened([], "Hel")
    response.transform(swallow)
    with pytest.raises(StreamInterruptedError):
        await read(response)


async def test_one_answer_still_has_one_reader() -> None:
    response = await opened([], "Hel", "lo")
    response.transform(tagged("change", []))
    async with aclosing(response.events()) as events:
        await anext(events)
        with pytest.raises(ConfigError):
            await anext(response.events())
        with pytest.raises(ConfigError) as caught:
            response.transform(tagged("late", []))
    assert str(caught.value) == "only an open answer that nobody reads yet can be transformed"


async def test_a_whole_answer_cannot_be_transformed() -> None:
    with pytest.raises(ConfigError):
        CompletionResponse.of("Hi").transform(tagged("change", []))
