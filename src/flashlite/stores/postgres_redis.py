"""A store for many machines: answers in PostgreSQL, with Redis as a cache in front of it."""

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

_PAGE = 200  # entries per read or write
_GONE = b""  # marks a deletion in Redis, so that a concurrent reader does not put the old row back
_GONE_FOR = 30_000  # milliseconds
_SWEEP_EVERY = 100  # writes
_LONGEST_PAUSE = 0.5  # seconds between checks for an entry that another process asks for


class HybridRedisPostgreSQLCache:
    """A store in PostgreSQL, with recent entries also in Redis.

    Addresses that are not given are read from PG_DSN and REDIS_URL. Tables are created at the first
    use. An entry is written to PostgreSQL, then to Redis, where it stays for `redis_ttl_seconds`;
    both keep it compressed with zstd unless `compress_pg` is false. `default_ttl` is the lifetime
    in seconds of entries without an expiry of their own; expired entries are removed gradually on
    later writes.

    Of all processes that miss the same entry, one asks: it holds a lease in Redis that expires
    seconds after its holder dies. Without Redis, everything is read from PostgreSQL and every
    process asks for itself; this is logged once. Entries in Redis are served even while PostgreSQL
    is down. What neither can serve raises a `StoreError`; calls then continue without the store,
    unless it is `required`. An entry that was replaced while Redis was unreachable may be found
    there until it expires.
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
        """Return the entry, or None if there is none that is still valid."""
        name = _name(collection, key)
        row = await self._from_redis(name)
        if row is None:
            row = await self._table.find(name, now=self._clock())
            if row is not None:
                await self._to_redis([(name, row)], only_new=True)
        entry = None if row is None else row.entry(key)
        return None if entry is None or entry.is_expired(self._clock()) else entry

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Write an entry to PostgreSQL, then to Redis, replacing any other with its key."""
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
        """Remove an entry, if there is one."""
        name = _name(collection, key)
        await self._table.remove(name)
        place = await self._redis_key(name)
        async with self._redis.client() as client:
            await client.set(place, _GONE, px=_GONE_FOR)

    async def clear(self, *, collection: str | None = None) -> int:
        """Remove one collection, or all if None; return how many entries were removed."""
        if collection is not None:
            _name(collection, "")
        removed = await self._table.clear(collection, now=self._clock())
        places = await self._redis_prefix(collection)
        async with self._redis.client() as client:
            async for page in _pages(client.scan_iter(match=f"{places}*", count=1000)):
                await client.unlink(*page)
        return removed

    async def stats(self) -> StoreStats:
        """Return the number of valid entries and their bytes."""
        return await self._table.stats(now=self._clock())

    async def entries(
        self, *, collection: str = "", limit: int | None = None
    ) -> AsyncIterator[Entry]:
        """Yield the valid entries of a collection, newest first, at most `limit` of them."""
        _name(collection, "")
        async for key, row in self._rows(collection, limit):
            yield row.entry(key)

    async def warm_cache(self, *, collection: str | None = None, limit: int | None = None) -> int:
        """Copy entries from PostgreSQL to Redis, newest first; return how many were copied.

        `limit` applies to each collection. Raises `StoreError` if Redis is down.
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
        """Become the only process that asks for an entry, or yield it once another has stored it.

        Yields None to the process that should ask; the others wait until the body has ended.
        """
        name = _name(collection, key)
        taken = await self._take_or_find(name)
        if isinstance(taken, Lease):
            async with taken.held():
                yield await self._found_meanwhile(name)
        else:
            yield taken

    async def flush(self) -> None:
        """Do nothing: `put` has already written the entry."""

    async def aclose(self) -> None:
        """Close the running loop's connections; the next use opens them again."""
        await self._table.aclose()
        await self._redis.aclose()

    async def _take_or_find(self, name: Name) -> Lease | Entry | None:
        """Return a lease, or the entry if another process stores it, or None without Redis."""
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
        """Look again: the last holder may have finished just before this lease was taken."""
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
        """Return the prefix of a collection's keys in Redis, unique to the PostgreSQL database."""
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
