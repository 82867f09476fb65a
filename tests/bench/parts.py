"""Measurements of flashlite's parts alone: the rate limiter and the cache on disk."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Coroutine, Generator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .contenders import Contender
from .meter import Numbers, cpu_seconds

if TYPE_CHECKING:
    from flashlite.stores import DiskCache, Entry
    from flashlite.types import CompletionRequest, CompletionResponse

T = TypeVar("T")

_WAITERS, _PER_MINUTE, _MINUTES = 500, 600, 20
_TOKENS = 100  # per answer; the token limit is this times the request limit, so both fill together
_LATENCY = 3.0

_TICK = 0.001  # seconds between two looks at the loop
_WRITES_PER_SECOND = 5_000


async def waiters(who: Contender, url: str, calls: int) -> Numbers:
    """Return wake-ups per grant, the share of the rate left unused, and the CPU time of a grant."""
    from .. import virtual_time

    before = cpu_seconds()
    # In a thread, because a loop is running here; virtual time makes waiting instant.
    grants, wakes = await asyncio.to_thread(virtual_time.run, _queue_up())
    cpu = cpu_seconds() - before
    fullest = max(_in_a_minute(grants))
    return {
        "wakes": wakes / len(grants),
        "unused": 100 - 100 * len(grants) / (_PER_MINUTE * _MINUTES),
        "fullest": fullest / _PER_MINUTE,
        "cpu": cpu / len(grants) * 1e6,
    }


def _in_a_minute(moments: list[float]) -> list[int]:
    """Return for each moment the number of moments in the minute that it begins."""
    counts: list[int] = []
    end = 0
    for first, moment in enumerate(moments):
        while end < len(moments) and moments[end] <= moment + 60:
            end += 1
        counts.append(end - first)
    return counts


async def _queue_up() -> tuple[list[float], int]:
    """Keep `_WAITERS` callers waiting; return the times of all grants, and all wake-ups."""
    from flashlite import CompletionRequest, CompletionResponse, Message, RateLimitConfig, Usage
    from flashlite.middleware import RateLimit
    from flashlite.types import Target

    loop = asyncio.get_running_loop()
    limits = RateLimitConfig(
        requests_per_minute=_PER_MINUTE, tokens_per_minute=_PER_MINUTE * _TOKENS
    )
    target = Target(provider="bench", dialect="openai", model="m")
    layer = RateLimit(limits, target=lambda _: target, clock=loop.time)
    request = CompletionRequest(model="m", messages=(Message.user("Hi"),))
    grants: list[float] = []
    wakes = 0

    async def caller() -> None:
        async def answer(_: CompletionRequest) -> CompletionResponse:
            nonlocal wakes
            grants.append(loop.time())
            wakes += turn.steps - 1  # the first step is not a wake-up
            await asyncio.sleep(_LATENCY)
            usage = Usage(input_tokens=10, output_tokens=_TOKENS - 10)
            return CompletionResponse.of("ok", usage=usage)

        while True:
            turn = _Stepped(layer(request, answer))
            await turn

    crowd = [asyncio.create_task(caller()) for _ in range(_WAITERS)]
    await asyncio.sleep(60 * _MINUTES)
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    return grants, wakes


class _Stepped(Generator[Any, Any, T], Generic[T]):
    """A coroutine that counts how often it is resumed."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.steps = 0
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any, /) -> Any:
        self.steps += 1
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)


async def disk_writes(who: Contender, url: str, calls: int) -> Numbers:
    """Return the time of one write, and how late the loop is with and without paced writes."""
    from flashlite import DiskCache

    seconds = max(1.0, calls / _WRITES_PER_SECOND)
    with TemporaryDirectory() as folder:
        store = DiskCache(Path(folder) / "answers.db")
        await store.put(_entry("first"))
        await store.flush()
        idle = await _lateness(seconds, None)
        busy = await _lateness(seconds, store)
        await store.flush()
        start = perf_counter()
        for number in range(calls):
            await store.put(_entry(f"fast {number}"))
        await store.flush()
        took = perf_counter() - start
        await store.aclose()
    return {"each": took / calls * 1e6, "stall": _p99(busy), "idle": _p99(idle)}


async def _lateness(seconds: float, store: DiskCache | None) -> list[float]:
    """Return how many milliseconds late the loop was for each tick, writing to a given store.

    Ticks that passed during a longer delay count too, because work due then had to wait as well.
    """
    late: list[float] = []
    loop = asyncio.get_running_loop()
    start = due = loop.time()
    written = 0
    while due < start + seconds:
        while due <= (now := loop.time()):
            late.append((now - due) * 1e3)
            due += _TICK
        while store is not None and written < (now - start) * _WRITES_PER_SECOND:
            await store.put(_entry(f"paced {written}"))
            written += 1
        await asyncio.sleep(due - loop.time())
    return late


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[-1]


def _entry(name: str) -> Entry:
    from flashlite.stores import Entry

    request = f'{{"name":"{name}","messages":"{"lorem ipsum " * 60}"}}'.encode()
    response = f'{{"content":"{"lorem ipsum " * 40}"}}'.encode()
    key = sha256(request).hexdigest()
    return Entry(key=key, request=request, response=response, created=time())
