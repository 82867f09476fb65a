"""A store in one SQLite file, which several processes may share."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from ..errors import ConfigError
from . import tables
from .base import Entry, StoreStats, check_ttl
from .open_file import Closed, OpenFile
from .tables import Name

T = TypeVar("T")

_LEAST_BYTES = 64 * 1024  # an empty file has 28 kB
_PAGE = 100  # entries per read


class DiskCache:
    """A store in one SQLite file, which several processes may share.

    The file and its folders are created at the first use. `default_ttl` is the lifetime in seconds
    of entries without an expiry of their own. `max_bytes` bounds the file, apart from the
    write-ahead log of some MB beside it; beyond it, the entries written longest ago are removed
    first (a read does not refresh an entry, because it would have to write). An entry that is
    larger by itself is not stored. Expired entries are removed gradually on later writes.

    A read takes microseconds and runs in the calling thread. A background thread commits writes in
    batches; `get` finds them immediately, other processes once they are committed, and `put` waits
    only if the disk cannot keep up. A write fails if another program holds the file for longer than
    `busy_timeout` seconds or the disk is full: this is logged once, the entry is lost, and the next
    `flush` or `aclose` raises a `StoreError`. What was flushed survives the death of the process; a
    power failure may lose the last moments, but never the file. A fork waits until everything is
    written. If the store is down, calls continue without it, unless it is `required`.
    """

    _file: OpenFile | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        default_ttl: float | None = None,
        max_bytes: int | None = None,
        busy_timeout: float = 10.0,
        required: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_ttl(default_ttl)
        self.required = required
        if max_bytes is not None and max_bytes < _LEAST_BYTES:
            raise ConfigError(f"max_bytes is at least {_LEAST_BYTES}, an empty file has half of it")
        self._path = Path(path).expanduser().absolute()
        self._default_ttl = default_ttl
        self._max_bytes = max_bytes
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._locks: dict[int, threading.Lock] = {}

    def __del__(self) -> None:
        file = self._own_file()
        if file is not None:
            file.end()

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        """Return the entry, or None if there is none that is still valid."""
        name = _name(collection, key)
        entry = await self._with_file(lambda file: file.find(name))
        return None if entry is None or entry.is_expired(self._clock()) else entry

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Store an entry, replacing any other with its key."""
        entry, name = entry.with_ttl(self._default_ttl), _name(collection, entry.key)
        is_kept = not entry.is_expired(self._clock()) and self._has_room_for(entry)
        await self._write(name, entry if is_kept else None)

    async def delete(self, key: str, *, collection: str = "") -> None:
        """Remove an entry, if there is one."""
        await self._write(_name(collection, key), None)

    async def clear(self, *, collection: str | None = None) -> int:
        """Remove one collection, or all if None; return how many entries were removed."""
        now = self._clock()
        return await self._run(lambda connection: tables.clear(connection, collection, now=now))

    async def stats(self) -> StoreStats:
        """Return the number of valid entries and their bytes."""
        now = self._clock()
        return await self._run(lambda connection: tables.stats(connection, now=now))

    async def entries(
        self, *, collection: str = "", limit: int | None = None
    ) -> AsyncIterator[Entry]:
        """Yield the valid entries of a collection, newest first, at most `limit` of them."""
        start: tuple[float, int] | None = None
        left = limit
        while left is None or left > 0:
            page = await self._page(collection, start, _PAGE if left is None else min(left, _PAGE))
            for entry in page.entries:
                yield entry
            if page.next is None:
                return
            start, left = page.next, left and left - len(page.entries)

    async def vacuum(self) -> None:
        """Remove expired entries and return free space to the disk; writes wait meanwhile."""
        now = self._clock()
        await self._run(lambda connection: tables.vacuum(connection, now=now))

    async def flush(self) -> None:
        """Return when every `put` is committed; raise StoreError if one failed."""
        file = self._own_file()
        if file is not None:
            await file.flush()

    async def aclose(self) -> None:
        """Write everything and close the file; the next use opens it again."""
        file = self._own_file()
        if file is not None:
            await file.aclose()

    def _has_room_for(self, entry: Entry) -> bool:
        return self._max_bytes is None or entry.size <= self._max_bytes

    async def _write(self, name: Name, entry: Entry | None) -> None:
        queue_is_long = await self._with_file(lambda file: file.write(name, entry))
        if queue_is_long is not None:
            await asyncio.wrap_future(queue_is_long)

    async def _page(
        self, collection: str, start: tuple[float, int] | None, limit: int
    ) -> tables.Page:
        now = self._clock()
        return await self._run(
            lambda connection: tables.newest(
                connection, collection, now=now, limit=limit, start=start
            )
        )

    async def _run(self, job: Callable[[Connection], T]) -> T:
        done: Future[T] = await self._with_file(lambda file: file.run(job))
        return await asyncio.wrap_future(done)

    async def _with_file(self, act: Callable[[OpenFile], T]) -> T:
        while True:
            file = self._own_file()
            if file is None or file.is_ending:
                if file is not None:
                    await file.until_closed()  # otherwise its unwritten entries would not be found
                file = self._open()
            if not file.is_open:
                await asyncio.wrap_future(file.opened)
            try:
                return act(file)
            except Closed:  # closed by another task or thread between these two lines
                continue

    def _open(self) -> OpenFile:
        # One lock per process: a fork may copy a lock that is held by a thread it does not copy.
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            file = self._own_file()
            if file is None or file.is_ending:
                file = self._file = OpenFile(
                    self._path,
                    max_bytes=self._max_bytes,
                    busy_timeout=self._busy_timeout,
                    clock=self._clock,
                )
            return file

    def _own_file(self) -> OpenFile | None:
        """Return the file, unless it was opened by the parent of this forked process."""
        file = self._file
        return file if file is not None and file.pid == os.getpid() else None


def _name(collection: str, key: str) -> Name:
    if not (collection.isascii() and key.isascii()):
        try:
            (collection + key).encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"a collection's name is text: {collection!r}") from error
    return collection, key
