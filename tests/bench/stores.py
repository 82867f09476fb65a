"""What a store adds to a call: when it stores the answer, and when it already has it.

Installed PostgreSQL and Redis servers are started; their own CPU time does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .contenders import Client, Contender, Messages
from .meter import Ask, Numbers, crowd

_FEWEST = 50  # calls
_AT_ONCE = 16


async def store(who: Contender, url: str, calls: int, *, kind: str) -> Numbers:
    """Return the CPU time that storing an answer adds to a call, and that of a call it answers."""
    calls = max(_FEWEST, calls)
    async with who.open(url, temperature=0) as client:
        await _asked(client, calls)  # warms up
        bare = await _asked(client, calls)
    with TemporaryDirectory() as folder, _STORES[kind](Path(folder)) as cache:
        async with who.open(url, temperature=0, cache=cache) as client:
            await _asked(client, _FEWEST)
            first = next(_numbers)
            kept = await _asked(client, calls, _questions(first))
            if hasattr(cache, "flush"):
                await cache.flush()  # else unwritten answers would be found in memory
            known = await _asked(client, calls, _questions(first))
    return {"kept": kept - bare, "known": known}


async def _asked(client: Client, calls: int, questions: Iterator[Messages] | None = None) -> float:
    found = questions or _questions(next(_numbers))
    return await crowd(_asking(client, found), calls=calls, concurrency=_AT_ONCE)


def _asking(client: Client, questions: Iterator[Messages]) -> Ask:
    async def ask() -> None:
        await client.complete(next(questions))

    return ask


_numbers = count()  # makes the questions of all rounds of a process different


def _questions(round: int) -> Iterator[Messages]:
    for number in count():
        yield [{"role": "user", "content": f"Which animal is number {round}.{number}?"}]


@contextmanager
def _memory(folder: Path) -> Iterator[Any]:
    from flashlite import MemoryCache

    yield MemoryCache(max_size=None)


@contextmanager
def _disk(folder: Path) -> Iterator[Any]:
    from flashlite import DiskCache

    yield DiskCache(folder / "answers.db")


@contextmanager
def _files(folder: Path) -> Iterator[Any]:
    from flashlite import FSCache

    yield FSCache(folder)


@contextmanager
def _qdrant(folder: Path) -> Iterator[Any]:
    from flashlite import Flashlite, QdrantCache

    yield QdrantCache(path=":memory:", embed=Flashlite("mock/echo").embed)


@contextmanager
def _postgres_redis(folder: Path) -> Iterator[Any]:
    from flashlite import HybridRedisPostgreSQLCache

    from ..services.servers import PostgresProcess, RedisProcess, program

    if missing := [name for name in ("initdb", "postgres", "redis-server") if not program(name)]:
        raise RuntimeError(f"{', '.join(missing)} not installed")
    with ExitStack() as running:
        postgres, redis = PostgresProcess(folder), RedisProcess(folder)
        for server in (postgres, redis):
            running.callback(server.stop)
            server.start()
        yield HybridRedisPostgreSQLCache(postgres.dsn, redis.url)


_STORES: dict[str, Callable[[Path], Any]] = {
    "memory": _memory,
    "disk": _disk,
    "files": _files,
    "qdrant": _qdrant,
    "postgres-redis": _postgres_redis,
}
