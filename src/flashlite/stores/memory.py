"""A store in memory, bounded by entries and bytes; it ends with the process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

from ..errors import ConfigError
from .base import Entry, StoreStats, check_ttl


class MemoryCache:
    """A store in memory that keeps the most recently used entries.

    `max_size` bounds the number of entries and `max_bytes` the bytes of their requests and
    responses (None: no bound); the least recently used entry is removed first. An entry larger than
    `max_bytes` is not stored. `default_ttl` is the lifetime in seconds of entries without an expiry
    of their own.
    """

    def __init__(
        self,
        max_size: int | None = 1000,
        *,
        max_bytes: int | None = None,
        default_ttl: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_size is not None and max_size < 1:
            raise ConfigError("max_size is at least 1 entry; for no cache pass cache=None")
        if max_bytes is not None and max_bytes < 1:
            raise ConfigError("max_bytes is at least 1; for no cache pass cache=None")
        check_ttl(default_ttl)
        self._max_size = max_size
        self._max_bytes = max_bytes
        self._default_ttl = default_ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, str], Entry] = OrderedDict()  # oldest use first
        self._bytes = 0

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        """Return the entry, or None if there is none that is still valid."""
        name = (collection, key)
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return None
            if entry.is_expired(self._clock()):
                self._remove(name)
                return None
            self._entries.move_to_end(name)
            return entry

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Store an entry, replacing any other with its key."""
        entry, name = entry.with_ttl(self._default_ttl), (collection, entry.key)
        with self._lock:
            self._remove(name)
            if entry.is_expired(self._clock()) or entry.size > (self._max_bytes or entry.size):
                return
            self._entries[name] = entry
            self._bytes += entry.size
            while self._is_too_full():
                self._remove(next(iter(self._entries)))

    async def delete(self, key: str, *, collection: str = "") -> None:
        """Remove an entry, if there is one."""
        with self._lock:
            self._remove((collection, key))

    async def clear(self, *, collection: str | None = None) -> int:
        """Remove one collection, or all if None; return how many entries were removed."""
        with self._lock:
            now = self._clock()
            names = [name for name in self._entries if collection in (None, name[0])]
            count = sum(not self._entries[name].is_expired(now) for name in names)
            for name in names:
                self._remove(name)
            return count

    async def stats(self) -> StoreStats:
        """Return the number of valid entries and their bytes."""
        with self._lock:
            now = self._clock()
            sizes = [entry.size for entry in self._entries.values() if not entry.is_expired(now)]
        return StoreStats(entries=len(sizes), bytes=sum(sizes))

    async def entries(
        self, *, collection: str = "", limit: int | None = None
    ) -> AsyncIterator[Entry]:
        """Yield the valid entries of a collection, newest first, at most `limit` of them."""
        with self._lock:
            held = [entry for name, entry in self._entries.items() if name[0] == collection]
        held.sort(key=lambda entry: entry.created, reverse=True)
        now = self._clock()
        for entry in [entry for entry in held if not entry.is_expired(now)][:limit]:
            yield entry

    async def flush(self) -> None:
        """Do nothing: there is nothing to write."""

    async def aclose(self) -> None:
        """Do nothing: the entries stay."""

    def _is_too_full(self) -> bool:
        return (self._max_size is not None and len(self._entries) > self._max_size) or (
            self._max_bytes is not None and self._bytes > self._max_bytes
        )

    def _remove(self, name: tuple[str, str]) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._bytes -= entry.size
