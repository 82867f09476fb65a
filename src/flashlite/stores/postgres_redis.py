"""A store for many machines: PostgreSQL keeps the answers, Redis in front of it hands them out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import count
from typing import Any, TypeVar

from ..errors import ConfigError, StoreError
from .base import Entry, StoreStats, check_ttl
from .lease import Lease
from .postgres_table import Name, PostgresTable
from .redis_server import RedisServer
from .rows import Row

T = TypeVar("T")

log = logging.getLogger("flashlite.cache")

_PAGE = 200  # entries that are read or sent at once
_GONE = b""  # in Redis for a while after a deletion: who read the row before puts nothing there
_GONE_FOR = 30_000  # milliseconds
_SWEEP_EVERY = 100  # writes
_LONGEST_PAUSE = 0.5  # seconds between two looks for what another process is asking for


class HybridRedisPostgreSQLCache:
    """Keep entries in PostgreSQL, and those of the last day in Redis too.

    Addresses that are not given come from PG_DSN and REDIS_URL. Tables are made at the first use.
    An entry is written to PostgreSQL, then to Redis, where it stays for `redis_ttl_seconds`; both
    keep it compressed with zstd unless `compress_pg` is false. `default_ttl` is the lifetime in
    seconds of an entry that brings no expiry of its own; the expired are removed little by little
    when something is written.

    Of all processes that miss the same entry, one asks: it holds a lease in Redis that ends seconds
    after its holder died. Without Redis everything goes to PostgreSQL, and every process asks for
    itself; a warning says so once. What Redis has is served without PostgreSQL too. What neither
    has is a `StoreError`; calls go on without the store then, unless it is `required`. What was
    replaced while Redis could not be reached may be found there until its time is over.
    """

    def __init__(
        self,
        pg_dsn: str | None = None,
        redis_url: str | None = None,
        *,
        redis_ttl_seconds: float = 86_400,
        compress_pg: bool = True,
        default_ttl: float | None = None,
        required: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_ttl(default_ttl)
        if not redis_ttl_seconds > 0:
            raise ConfigError(f"redis_ttl_seconds is a number above 0; got {redis_ttl_seconds!r}")
        self.required = required
        self._table = PostgresTable(pg_dsn)
        self._redis = RedisServer(redis_url)
        self._redis_ttl = redis_ttl_seconds
        self._compress = compress_pg
        self._default_ttl = default_ttl
        self._clock = clock
        self._writes = count(1)
        self._has_warned = False

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        name = _name(collection, key)
        row = await self._from_redis(name)
        if row is None:
            row = await self._table.find(name, now=self._clock())
            if row is not None:
                await self._to_redis([(name, row)], only_new=True)
        entry = None if row is None else row.entry(key)
        return None if entry is None or entry.is_expired(self._clock()) else entry

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        entry, name = entry.with_ttl(self._default_ttl), _name(collection, entry.key)
        now = self._clock()
        if entry.is_expired(now):
            await self.delete(entry.key, collection=collection)
            return
        row = Row.of(entry, compress=self._compress)
        await self._table.write(name, row, size=entry.size)
        await self._to_redis([(name, row)])
        if next(self._writes) % _SWEEP_EVERY == 0:
            await self._table.remove_expired(now=now, limit=10 * _SWEEP_EVERY)

    async def delete(self, key: str, *, collection: str = "") -> None:
        name = _name(collection, key)
        await self._table.remove(name)
        place = await self._redis_key(name)
        async with self._redis.client() as client:
            await client.set(place, _GONE, px=_GONE_FOR)

    async def clear(self, *, collection: str | None = None) -> int:
        if collection is not None:
            _name(collection, "")
        removed = await self._table.clear(collection, now=self._clock())
        places = await self._redis_prefix(collection)
        async with self._redis.client() as client:
            async for page in _pages(client.scan_iter(match=f"{places}*", count=1000)):
                await client.unlink(*page)
        return removed

    async def stats(self) -> StoreStats:
        return await self._table.stats(now=self._clock())

    async def entries(
        self, *, collection: str = "", limit: int | None = None
    ) -> AsyncIterator[Entry]:
        _name(collection, "")
        async for key, row in self._rows(collection, limit):
            yield row.entry(key)

    async def warm_cache(self, *, collection: str | None = None, limit: int | None = None) -> int:
        """Copy what PostgreSQL has to Redis, the newest first; return how many entries that was.

        `limit` is for each collection. Redis being down is a `StoreError` here.
        """
        known = await self._table.collections() if collection is None else [collection]
        copied = 0
        for each in known:
            _name(each, "")
            rows = ((Name(each, key), row) async for key, row in self._rows(each, limit))
            async for page in _pages(rows):
                await self._send(page, only_new=True)
                copied += len(page)
        return copied

    @asynccontextmanager
    async def lease(self, key: str, *, collection: str = "") -> AsyncIterator[Entry | None]:
        """Be the only one who asks for an entry: yields it once another process has put it.

        Yields None to whoever is to ask; the others wait until the body has ended.
        """
        name = _name(collection, key)
        taken = await self._take_or_find(name)
        if isinstance(taken, Lease):
            async with taken.held():
                yield await self._found_meanwhile(name)
        else:
            yield taken

    async def flush(self) -> None:
        """Do nothing: what was put is written."""

    async def aclose(self) -> None:
        await self._table.aclose()
        await self._redis.aclose()

    async def _take_or_find(self, name: Name) -> Lease | Entry | None:
        """Return a lease, or the entry where another process puts it; None without Redis."""
        pause = 0.01
        try:
            lease = Lease(self._redis, f"{await self._redis_key(name)}:lease")
            while not await lease.take():
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                entry = await self.get(name.key, collection=name.collection)
                if entry is not None:
                    return entry
        except StoreError as error:
            self._warn(error)
            return None
        return lease

    async def _found_meanwhile(self, name: Name) -> Entry | None:
        """Look again: the last holder may have been done just before we took the lease."""
        try:
            return await self.get(name.key, collection=name.collection)
        except StoreError as error:
            self._warn(error)
            return None

    async def _rows(self, collection: str, limit: int | None) -> AsyncIterator[tuple[str, Row]]:
        before: tuple[float, str] | None = None
        left = float("inf") if limit is None else limit
        while left > 0:
            size = int(min(left, _PAGE))
            page = await self._table.newest(
                collection, now=self._clock(), limit=size, before=before
            )
            for key, row in page:
                yield key, row
                before = (row.created, key)
            if len(page) < size:
                return
            left -= size

    async def _from_redis(self, name: Name) -> Row | None:
        place = await self._redis_key(name)
        try:
            async with self._redis.client() as client:
                packed: Any = await client.get(place)
            return Row.unpack(packed) if packed else None
        except StoreError as error:
            self._warn(error)
            return None

    async def _to_redis(self, rows: list[tuple[Name, Row]], *, only_new: bool = False) -> None:
        try:
            await self._send(rows, only_new=only_new)
        except StoreError as error:
            self._warn(error)

    async def _send(self, rows: list[tuple[Name, Row]], *, only_new: bool = False) -> None:
        now = self._clock()
        places = [await self._redis_key(name) for name, _ in rows]
        async with self._redis.client() as client, client.pipeline(transaction=False) as pipeline:
            for place, (_, row) in zip(places, rows, strict=True):
                left = min(self._redis_ttl, (row.expires or float("inf")) - now)
                if left > 0:
                    pipeline.set(place, row.pack(), px=int(left * 1000) or 1, nx=only_new)
            await pipeline.execute()

    async def _redis_key(self, name: Name) -> str:
        return f"{await self._redis_prefix(name.collection)}{name.key}"

    async def _redis_prefix(self, collection: str | None) -> str:
        """Return how the names of a collection begin in Redis; other databases have others."""
        place = f"flashlite:cache:{await self._table.identity()}:"
        if collection is None:
            return place
        return f"{place}{sha256(collection.encode()).hexdigest()[:16]}:"

    def _warn(self, error: StoreError) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("the cache goes on without Redis (said once): %s", error)


def _name(collection: str, key: str) -> Name:
    try:
        is_text = b"\0" not in (collection + key).encode()
    except UnicodeEncodeError:
        is_text = False
    if not is_text:
        raise ConfigError(f"a collection's name is text: {collection!r:.80}")
    return Name(collection, key)


async def _pages(items: AsyncIterator[T]) -> AsyncIterator[list[T]]:
    page: list[T] = []
    async for item in items:
        page.append(item)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page
