"""Concurrency: so many seats and not one more, in order, and each is given back."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from flashlite.errors import ConfigError, InternalServerError
from flashlite.middleware.concurrency import Concurrency
from flashlite.testing import ScriptedProvider
from flashlite.types import (
    CompletionRequest,
    CompletionResponse,
    Handler,
    Message,
    StreamEvent,
    StreamEventType,
)

from ..virtual_time import now, virtual_time

REQUEST = CompletionRequest(model="m", messages=(Message.user("Hi"),))


class Provider:
    """Takes a second for an answer, and notes who came when and how many were there at once."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str]] = []
        self.running = 0
        self.most = 0

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.calls.append((now(), request.messages[0].text))
        if request.stream:
            return await CompletionResponse.open(_events)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(1)
        finally:
            self.running -= 1
        return CompletionResponse.of("ok")

    @property
    def times(self) -> list[float]:
        return [moment for moment, _ in self.calls]


async def _events(response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
    yield StreamEvent(StreamEventType.TOKEN, "o")
    await asyncio.sleep(5)
    yield StreamEvent(StreamEventType.DONE, response)


async def _call(layer: Concurrency, provider: Handler, **changes: Any) -> CompletionResponse:
    return await layer(REQUEST.with_(**changes), provider)


@virtual_time
async def test_an_answer_passes_through_as_it_is() -> None:
    answer = CompletionResponse.of("hello")
    provider = ScriptedProvider([answer])
    assert await Concurrency(1)(REQUEST, provider) is answer
    assert provider.requests[0] is REQUEST


@virtual_time
async def test_a_hundred_tasks_at_once_share_the_seats_in_order() -> None:
    layer, provider = Concurrency(10), Provider()
    texts = [str(number) for number in range(100)]
    await asyncio.gather(
        *(_call(layer, provider, messages=(Message.user(text),)) for text in texts)
    )
    assert provider.calls == [(float(number // 10), text) for number, text in enumerate(texts)]
    assert provider.most == 10


@virtual_time
async def test_priority_decides_who_is_next() -> None:
    layer, provider = Concurrency(1), Provider()
    calls = {"0": 0, "2": 1, "1": -1}
    await asyncio.gather(
        *(
            _call(layer, provider, messages=(Message.user(text),), priority=priority)
            for text, priority in calls.items()
        )
    )
    assert [text for _, text in provider.calls] == ["0", "1", "2"]


@virtual_time
async def test_nothing_that_is_answered_above_takes_a_seat() -> None:
    layer, provider = Concurrency(1), Provider()
    running = asyncio.create_task(_call(layer, provider))
    await asyncio.sleep(0)

    async def cached(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return CompletionResponse.of("known")

    await cached(REQUEST, lambda request: layer(request, provider))
    assert now() == 0.0
    await running


@pytest.mark.parametrize("failure", [InternalServerError("no"), KeyError("a bug")])
async def test_a_failure_passes_through_and_frees_its_seat(failure: Exception) -> None:
    layer = Concurrency(1)
    with pytest.raises(type(failure)):
        await layer(REQUEST, ScriptedProvider([failure]))
    assert (await layer(REQUEST, ScriptedProvider(["ok"]))).content == "ok"


@virtual_time
async def test_a_stream_holds_its_seat_until_it_is_complete() -> None:
    layer, provider = Concurrency(1), Provider()
    stream = await _call(layer, provider, stream=True)
    waiting = asyncio.create_task(_call(layer, provider))
    assert [event.type.name for event in [e async for e in stream.events()]] == ["TOKEN", "DONE"]
    await waiting
    assert provider.times == [0.0, 5.0]


@virtual_time
async def test_a_reader_who_stops_early_gives_the_seat_back() -> None:
    layer, provider = Concurrency(1), Provider()
    async with aclosing((await _call(layer, provider, stream=True)).events()) as events:
        await anext(events)
    await _call(layer, provider)
    assert provider.times == [0.0, 0.0]


@virtual_time
async def test_a_stream_that_is_dropped_unread_gives_the_seat_back() -> None:
    layer, provider = Concurrency(1), Provider()
    await _call(layer, provider, stream=True)
    gc.collect()
    await _call(layer, provider)
    assert provider.times == [0.0, 0.0]


@virtual_time
async def test_cancelling_at_any_moment_frees_the_seat_or_the_place() -> None:
    layer, provider = Concurrency(1), Provider()
    sitting, waiting, patient = (asyncio.create_task(_call(layer, provider)) for _ in range(3))
    await asyncio.sleep(0.25)
    waiting.cancel()
    waiting.cancel()
    sitting.cancel()
    sitting.cancel()
    done = await asyncio.gather(sitting, waiting, patient, return_exceptions=True)
    assert [type(each) for each in done] == [
        asyncio.CancelledError,
        asyncio.CancelledError,
        CompletionResponse,
    ]
    assert provider.times == [0.0, 0.25]


@virtual_time
async def test_cancelling_in_the_moment_of_the_grant_gives_the_seat_to_the_next() -> None:
    layer, provider = Concurrency(1), Provider()
    sitting, quitter, patient = (asyncio.create_task(_call(layer, provider)) for _ in range(3))
    sitting.add_done_callback(lambda _: quitter.cancel())
    await asyncio.gather(sitting, quitter, patient, return_exceptions=True)
    assert (quitter.cancelled(), provider.times[-1]) == (True, 1.0)


def test_the_seats_are_shared_by_loops_one_after_another() -> None:
    layer = Concurrency(1)
    for _ in range(3):
        assert asyncio.run(_call(layer, ScriptedProvider(["ok"]))).content == "ok"


def test_the_seats_are_shared_by_threads_at_once() -> None:
    layer, lock = Concurrency(3), threading.Lock()
    running, most, served = 0, 0, 0

    async def provider(request: CompletionRequest) -> CompletionResponse:
        nonlocal running, most, served
        with lock:
            running += 1
            most = max(most, running)
        await asyncio.sleep(0.0002)
        with lock:
            running -= 1
            served += 1
        return CompletionResponse.of("ok")

    async def calls() -> None:
        await asyncio.gather(*(_call(layer, provider) for _ in range(100)))

    threads = [threading.Thread(target=lambda: asyncio.run(calls())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, served) == (3, 400)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None, "3"])
def test_a_number_of_seats_that_makes_no_sense_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigError, match="the number of calls at once is at least 1; got"):
        Concurrency(limit)


FORKED = """
import asyncio, os
from flashlite import Flashlite
from flashlite.testing import ScriptedProvider
from flashlite.types import CompletionResponse
async def never(request):
    await asyncio.Event().wait()
client = Flashlite("m", provider=never, max_concurrency=1)
async def main():
    call = asyncio.create_task(client.complete("Hi"))
    await asyncio.sleep(0.01)
    child = os.fork()
    if not child:
        return os._exit(0 if _free() else 1)
    assert os.waitpid(child, 0)[1] == 0
    call.cancel()
def _free():
    import threading
    done = []
    async def one():
        call = asyncio.create_task(client.complete("Hi"))
        while not client._on_wire.has(call):
            await asyncio.sleep(0.01)
        done.append(True)
        call.cancel()
    thread = threading.Thread(target=lambda: asyncio.run(asyncio.wait_for(one(), 5)))
    thread.start()
    thread.join()
    return done
asyncio.run(main())
"""


def test_a_forked_child_finds_every_seat_free() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
