"""What is measured: a function for each, and a row in the table at the end.

A function runs in a process of its own for one contender and returns its numbers by name.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import count
from time import perf_counter
from typing import Literal, NamedTuple

from .contenders import Client, Contender, Messages
from .meter import Ask, cpu_seconds, crowd, resident_megabytes
from .server import ANSWER, CHUNKS

Numbers = dict[str, float]

_STREAMS_AT_ONCE = 16
_WARM_UP = 512  # calls; the openai SDK with 64 at once takes 400 to reach its own pace
_TURNS = (2, 50, 200)
# Calls: from `_EARLY` on the price of a call and from `_SETTLED` on the memory have to stay.
_EARLY, _SETTLED = 1_000, 5_000


async def complete(who: Contender, url: str, calls: int, *, concurrency: int) -> Numbers:
    """CPU time of one answer, with so many calls at once."""
    async with who.open(url) as client:
        ask = _checked(client)
        await crowd(ask, calls=max(_WARM_UP, 2 * concurrency), concurrency=concurrency)
        calls = max(calls, 2 * concurrency)
        return {"cpu": await crowd(ask, calls=calls, concurrency=concurrency)}


async def stream(who: Contender, url: str, calls: int, *, burst: bool = False) -> Numbers:
    """CPU time of one chunk of a stream, its share of the request included.

    So few streams at once that the slowest client too reads each chunk before the next arrives; a
    late one finds several in each read and looks fast.
    """
    async with who.open(url.replace("/v1", "/burst/v1") if burst else url) as client:
        questions = _questions()

        async def ask() -> None:
            pieces = await client.stream(next(questions))
            assert pieces == CHUNKS, f"{pieces} of {CHUNKS} chunks arrived"

        run = partial(crowd, ask, concurrency=_STREAMS_AT_ONCE)
        await run(calls=_STREAMS_AT_ONCE)
        return {"cpu": await run(calls=max(calls, _STREAMS_AT_ONCE)) / CHUNKS}


async def importing(who: Contender, url: str, calls: int) -> Numbers:
    """Time that the import adds to an interpreter that does nothing."""
    _interpreter(who.imports)  # so that nobody pays for compiling or for a cold disk
    added: list[Numbers] = []
    for _ in range(max(3, calls)):
        bare, full = _interpreter("pass"), _interpreter(who.imports)
        added.append({name: full[name] - bare[name] for name in bare})
    return {name: statistics.median(one[name] for one in added) for name in ("wall", "cpu")}


def _interpreter(code: str) -> Numbers:
    """Return the wall and the CPU milliseconds of a Python that runs this code and ends."""
    start = perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    _, status, usage = os.wait4(child, 0)
    wall = perf_counter() - start
    assert status == 0, f"{code!r} failed"
    return {"wall": wall * 1e3, "cpu": (usage.ru_utime + usage.ru_stime) * 1e3}


async def first_call(who: Contender, url: str, calls: int) -> Numbers:
    """CPU time of a process from its start to its first answer."""
    async with who.open(url) as client:
        await _checked(client)()
        return {"cpu": cpu_seconds() * 1e3}


async def growth(who: Contender, url: str, calls: int) -> Numbers:
    """CPU time of one answer as the conversation before it gets longer."""
    numbers: Numbers = {}
    async with who.open(url) as client:
        for turns in (_TURNS[0], *_TURNS):  # the first time warms up
            ask = _checked(client, turns=turns)
            numbers[f"{turns}"] = await crowd(ask, calls=max(50, calls), concurrency=16)
    shortest, longest = _TURNS[0], _TURNS[-1]
    grown = numbers[f"{longest}"] - numbers[f"{shortest}"]
    return {**numbers, "turn": grown / (longest - shortest)}


async def endurance(who: Contender, url: str, calls: int) -> Numbers:
    """Memory and CPU time at the beginning and at the end of very many calls."""
    window = _SETTLED - _EARLY
    middle = max(calls - _SETTLED - window, window)
    async with who.open(url) as client:
        run = partial(crowd, _checked(client), concurrency=64)
        await run(calls=_EARLY)
        early = await run(calls=window)
        settled = resident_megabytes()
        await run(calls=middle)
        late = await run(calls=window)
        end = resident_megabytes()
    return {
        "settled": settled,
        "grown": end - settled,
        "early": early,
        "late": late,
        "change": late / early,
        "memory": end / settled,
    }


def _checked(client: Client, *, turns: int = 2) -> Ask:
    """Return a call that asks something new each time and looks at the answer."""
    questions = _questions(turns)

    async def ask() -> None:
        text = await client.complete(next(questions))
        assert text == ANSWER, f"not the answer: {text!r:.100}"

    return ask


def _questions(turns: int = 2) -> Iterator[Messages]:
    """Yield conversations of so many turns that differ in their last words, two in 600 bytes."""
    roles = ["system", *("user" if n % 2 else "assistant" for n in range(1, turns - 1))]
    before = [{"role": role, "content": f"{role}: {'lorem ipsum ' * 8}"} for role in roles]
    question = f"Which animal jumps over which? Please think. {'lorem ipsum ' * 30}"
    for number in count():
        yield [*before, {"role": "user", "content": f"{question}{number}"}]


class Row(NamedTuple):
    """A line of the table: one of a scenario's numbers, and what it is set against raw aiohttp by.

    `times` shows how many times it is, `over` how much more, None nothing.
    """

    number: str
    title: str
    unit: str
    against: Literal["times", "over"] | None = "times"


class Scenario(NamedTuple):
    """One measurement: `calls` is its share of `--calls`, `rounds` the most that make sense."""

    name: str
    run: Callable[[Contender, str, int], Awaitable[Numbers]]
    rows: tuple[Row, ...]
    calls: float = 1.0
    rounds: int | None = None
    without: frozenset[str] = frozenset()


_SLOW = frozenset({"openai", "litellm"})

SCENARIOS: tuple[Scenario, ...] = (
    *(
        Scenario(
            f"complete-{n}",
            partial(complete, concurrency=n),
            (Row("cpu", f"answer, {n} at once", "µs CPU"),),
        )
        for n in (1, 64, 500)
    ),
    Scenario("stream", stream, (Row("cpu", f"chunk of {CHUNKS}, one by one", "µs CPU"),), 0.01),
    Scenario(
        "burst",
        partial(stream, burst=True),
        (Row("cpu", f"chunk of {CHUNKS}, all at once", "µs CPU"),),
        0.02,
    ),
    Scenario(
        "import",
        importing,
        (
            Row("wall", "import, over a bare interpreter", "ms", None),
            Row("cpu", "import, over a bare interpreter", "ms CPU", None),
        ),
        0.001,
    ),
    Scenario("first-call", first_call, (Row("cpu", "process with one answer", "ms CPU"),), 0),
    Scenario(
        "growth",
        growth,
        (
            *(Row(f"{n}", f"answer after {n} turns", "µs CPU", "over") for n in _TURNS),
            Row("turn", "each further turn", "µs CPU", "over"),
        ),
        0.1,
    ),
    Scenario(
        "endurance",
        endurance,
        (
            Row("early", f"answer after {_EARLY:,} calls", "µs CPU"),
            Row("late", "answer at the end", "µs CPU"),
            Row("settled", f"memory after {_SETTLED:,} calls", "MB", "over"),
            Row("grown", "memory gained until the end", "MB", None),
        ),
        25,
        rounds=2,
        without=_SLOW,
    ),
)
