"""The scenarios: a function for each, and a row in the table at the end.

Each function runs in a process of its own for one contender and returns its numbers by name.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NamedTuple

from . import evals, stores
from .contenders import AT_ONCE, Client, Contender, Messages
from .meter import Ask, Numbers, cpu_seconds, crowd, resident_megabytes
from .parts import disk_writes, waiters
from .server import ANSWER, CHUNKS

if TYPE_CHECKING:
    from flashlite import DiskCache, MemoryCache

_STREAMS_AT_ONCE = 16
_WARM_UP = 512  # calls; the openai SDK with 64 at once takes 400 to reach its own pace
_TURNS = (2, 50, 200)
_KNOWN = 500  # questions whose answers are in a cache
_numbers = count()  # makes all questions of a process different, so that caches miss
# Calls: from `_EARLY` on, CPU time per call should be constant, from `_SETTLED` on, memory.
_EARLY, _SETTLED = 1_000, 5_000


async def complete(who: Contender, url: str, calls: int, *, concurrency: int) -> Numbers:
    """Return the CPU time of one answer, with `concurrency` calls at once."""
    async with who.open(url) as client:
        ask = _checked(client)
        await crowd(ask, calls=max(_WARM_UP, 2 * concurrency), concurrency=concurrency)
        calls = max(calls, 2 * concurrency)
        return {"cpu": await crowd(ask, calls=calls, concurrency=concurrency)}


async def dialect(who: Contender, url: str, calls: int, *, model: str, path: str) -> Numbers:
    """Return the CPU time of one answer in a dialect other than OpenAI's, 64 at once."""
    path = path if who.name == "litellm" else path.removesuffix(_LITELLMS_OWN.get(path, ""))
    native = who._replace(open=partial(who.open, model=model))
    return await complete(native, url.replace("/v1", path), calls, concurrency=64)


# litellm takes these URLs in full; other contenders append this suffix themselves.
_LITELLMS_OWN = {"/anthropic/v1/messages": "/messages"}


async def stream(who: Contender, url: str, calls: int, *, burst: bool = False) -> Numbers:
    """Return the CPU time of one chunk of a stream, including its share of the request.

    So few streams run at once that even the slowest client reads each chunk before the next one
    arrives; a client that is late would find several in each read and look fast.
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
    """Return the time that the import adds to an interpreter that does nothing."""
    _interpreter(who.imports)  # warm up: compile the modules and fill the disk cache
    added: list[Numbers] = []
    for _ in range(max(1, calls)):
        bare, full = _interpreter("pass"), _interpreter(who.imports)
        added.append({name: full[name] - bare[name] for name in bare})
    return {name: statistics.median(one[name] for one in added) for name in ("wall", "cpu")}


def _interpreter(code: str) -> Numbers:
    """Return the wall and CPU milliseconds of a Python process that runs this code."""
    start = perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    _, status, usage = os.wait4(child, 0)
    wall = perf_counter() - start
    assert status == 0, f"{code!r} failed"
    return {"wall": wall * 1e3, "cpu": (usage.ru_utime + usage.ru_stime) * 1e3}


async def first_call(who: Contender, url: str, calls: int) -> Numbers:
    """Return the CPU time of a process from its start to its first answer."""
    async with who.open(url) as client:
        await _checked(client)()
        return {"cpu": cpu_seconds() * 1e3}


async def growth(who: Contender, url: str, calls: int) -> Numbers:
    """Return the CPU time of one answer after conversations of different lengths."""
    numbers: Numbers = {}
    async with who.open(url) as client:
        for turns in (_TURNS[0], *_TURNS):  # the first time warms up
            ask = _checked(client, turns=turns)
            numbers[f"{turns}"] = await crowd(ask, calls=max(16, calls), concurrency=16)
    shortest, longest = _TURNS[0], _TURNS[-1]
    grown = numbers[f"{longest}"] - numbers[f"{shortest}"]
    return {**numbers, "turn": grown / (longest - shortest)}


async def endurance(who: Contender, url: str, calls: int) -> Numbers:
    """Return memory and CPU time per call at the beginning and at the end of very many calls."""
    window = _SETTLED - _EARLY
    calls = max(calls, _SETTLED + window)
    seen: dict[int, tuple[float, float]] = {}
    answered = count(1)

    def note(text: str) -> None:
        assert text == ANSWER, f"not the answer: {text!r:.100}"
        if (number := next(answered)) in (_EARLY, _SETTLED, calls - window, calls):
            seen[number] = cpu_seconds(), resident_megabytes()

    async with who.open(url) as client:
        if client.many:
            async for text in client.many(islice(_questions(), calls)):
                note(text)
        else:
            await crowd(_noted(client, note), calls=calls, concurrency=AT_ONCE)

    early, late = (
        (seen[first + window][0] - seen[first][0]) / window * 1e6
        for first in (_EARLY, calls - window)
    )
    settled, end = seen[_SETTLED][1], seen[calls][1]
    return {
        "settled": settled,
        "grown": end - settled,
        "early": early,
        "late": late,
        "change": late / early,
        "memory": end / settled,
    }


def _noted(client: Client, note: Callable[[str], None]) -> Ask:
    questions = _questions()

    async def ask() -> None:
        note(await client.complete(next(questions)))

    return ask


async def hit(who: Contender, url: str, calls: int, *, on_disk: bool) -> Numbers:
    """Return the CPU time of an answer to a question asked before, one at a time.

    A contender without a cache asks again; a hit is compared with that.
    """
    questions = cycle(list(islice(_questions(), _KNOWN)))
    with TemporaryDirectory() as folder:
        store = _store(Path(folder), on_disk=on_disk) if who.package == "flashlite" else None
        options = {"cache": store, "temperature": 0} if store else {}
        async with who.open(url, **options) as client:

            async def ask() -> None:
                await client.complete(next(questions))

            await crowd(ask, calls=_KNOWN, concurrency=1)
            if store:
                await store.flush()  # else unwritten answers would be found in memory
            await crowd(ask, calls=_KNOWN, concurrency=1)
            return {"cpu": await crowd(ask, calls=max(calls, _KNOWN), concurrency=1)}


def _store(folder: Path, *, on_disk: bool) -> DiskCache | MemoryCache:
    from flashlite import DiskCache, MemoryCache

    return DiskCache(folder / "hits.db") if on_disk else MemoryCache()


def _checked(client: Client, *, turns: int = 2) -> Ask:
    """Return a call that asks something new each time and checks the answer."""
    questions = _questions(turns)

    async def ask() -> None:
        text = await client.complete(next(questions))
        assert text == ANSWER, f"not the answer: {text!r:.100}"

    return ask


def _questions(turns: int = 2) -> Iterator[Messages]:
    """Yield conversations of `turns` turns that differ in their last words (2 turns: 600 bytes)."""
    roles = ["system", *("user" if n % 2 else "assistant" for n in range(1, turns - 1))]
    before = [{"role": role, "content": f"{role}: {'lorem ipsum ' * 8}"} for role in roles]
    question = f"Which animal jumps over which? Please think. {'lorem ipsum ' * 30}"
    for number in _numbers:
        yield [*before, {"role": "user", "content": f"{question}{number}"}]


class Row(NamedTuple):
    """A line of the table: one of a scenario's numbers, and how it is compared with raw aiohttp.

    "times" shows the ratio, "over" the difference, None nothing.
    """

    number: str
    title: str
    unit: str
    against: Literal["times", "over"] | None = "times"


class Scenario(NamedTuple):
    """One measurement: `calls` is its share of `--calls`, `rounds` the most rounds that make sense.

    `without` are contenders that are not measured, `short_without` those that `--short` omits too
    to save time: at least one scenario of the same kind has them. `needs` are the requirements of
    contenders, by name, for this scenario.
    """

    name: str
    run: Callable[[Contender, str, int], Awaitable[Numbers]]
    rows: tuple[Row, ...]
    calls: float = 1.0
    rounds: int | None = None
    without: frozenset[str] = frozenset()
    short_without: frozenset[str] = frozenset()
    needs: Mapping[str, str] = {}

    def shortened(self) -> Scenario:
        """Return the scenario as `--short` measures it."""
        return self._replace(without=self.without | self.short_without)


_SLOW = frozenset({"openai", "litellm"})
_ALL_BUT_PLAIN = _SLOW | {"aiohttp", "flashlite-all"}

SCENARIOS: tuple[Scenario, ...] = (
    *(
        Scenario(
            f"complete-{n}",
            partial(complete, concurrency=n),
            (Row("cpu", f"answer, {n} at once", "µs CPU"),),
            short_without=frozenset() if n == 64 else _SLOW,
        )
        for n in (1, 64, 500)
    ),
    *(
        Scenario(
            name,
            partial(dialect, model=model, path=path),
            (Row("cpu", f"answer in {title} dialect, 64 at once", "µs CPU", None),),
            without=frozenset({"aiohttp", "openai"}),
        )
        for name, title, model, path in (
            ("anthropic", "Anthropic's", "anthropic/claude-sonnet-4-5", "/anthropic/v1/messages"),
            ("gemini", "Gemini's", "gemini/gemini-2.5-flash", "/gemini/v1beta"),
        )
    ),
    Scenario(
        "stream",
        stream,
        (Row("cpu", f"chunk of {CHUNKS}, one by one", "µs CPU"),),
        0.01,
        short_without=frozenset({"openai"}),
    ),
    Scenario(
        "burst",
        partial(stream, burst=True),
        (Row("cpu", f"chunk of {CHUNKS}, all at once", "µs CPU"),),
        0.02,
        short_without=_SLOW,
    ),
    Scenario(
        "import",
        importing,
        (
            Row("wall", "import, over a bare interpreter", "ms", None),
            Row("cpu", "import, over a bare interpreter", "ms CPU", None),
        ),
        0.001,
        short_without=_SLOW,
    ),
    Scenario(
        "first-call",
        first_call,
        (Row("cpu", "process with one answer", "ms CPU"),),
        0,
        short_without=_SLOW,
    ),
    Scenario(
        "growth",
        growth,
        (
            *(Row(f"{n}", f"answer after {n} turns", "µs CPU", "over") for n in _TURNS),
            Row("turn", "each further turn", "µs CPU", "over"),
        ),
        0.1,
        short_without=_SLOW,
    ),
    Scenario(
        "endurance",
        endurance,
        (
            Row("early", f"answer of many, after {_EARLY:,} calls", "µs CPU"),
            Row("late", "answer of many, at the end", "µs CPU"),
            Row("settled", f"memory after {_SETTLED:,} calls", "MB", "over"),
            Row("grown", "memory gained until the end", "MB", None),
        ),
        25,
        rounds=2,
        without=_SLOW,
    ),
    *(
        Scenario(
            f"{where}-hit",
            partial(hit, on_disk=where == "disk"),
            (Row("cpu", f"answer asked before, cache {title}", "µs CPU"),),
            without=_SLOW,
        )
        for where, title in (("memory", "in memory"), ("disk", "on disk"))
    ),
    *(
        Scenario(
            f"store-{kind}",
            partial(stores.store, kind=kind),
            (
                Row("kept", f"what it adds that {title} keeps an answer", "µs CPU", None),
                Row("known", f"answer that {title} has, 16 at once", "µs CPU", None),
            ),
            share,
            rounds=2,
            without=_ALL_BUT_PLAIN,
        )
        for kind, title, share in (
            ("memory", "memory", 1),
            ("disk", "a SQLite file", 1),
            ("files", "a folder", 0.5),
            ("qdrant", "Qdrant in memory", 0.02),
            ("postgres-redis", "PostgreSQL with Redis", 0.5),
        )
    ),
    Scenario(
        "provider",
        evals.provider,
        (
            Row("cpu", "sample of an eval by Inspect", "µs CPU", None),
            Row("added", "what the provider adds to a sample", "µs CPU", None),
        ),
        0.5,
        rounds=2,
        without=frozenset({"litellm", "flashlite-all"}),
        needs={"openai": "openai>=3.4"},
    ),
    Scenario(
        "disk-writes",
        disk_writes,
        (
            Row("each", "cache on disk: a write", "µs"),
            Row("stall", "loop late while 5,000/s are written, p99", "ms"),
            Row("idle", "loop late without writing, p99", "ms"),
        ),
        5,
        without=_ALL_BUT_PLAIN,
    ),
    Scenario(
        "waiters",
        waiters,
        (
            Row("wakes", "500 wait for a limit: wake-ups a grant", ""),
            Row("unused", "of the allowed rate unused", "%"),
            Row("fullest", "fullest minute, of what is allowed", ""),
            Row("cpu", "a grant while 500 wait", "µs CPU"),
        ),
        rounds=1,
        without=_ALL_BUT_PLAIN,
    ),
)
