"""A store in memory: gone with the process, bounded by entries and bytes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

from ..errors import ConfigError
from .base import Entry, StoreStats, check_ttl


class MemoryCache:
    """Keep the entries that were used last.

    `max_size` bounds their number and `max_bytes` the bytes of their requests and responses, None
    not at all; what was not used for the longest time goes first. An entry that alone is larger
    than `max_bytes` is not kept. `default_ttl` is the lifetime in seconds of an entry that brings
    no expiry of its own.
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
        self._entries: OrderedDict[tuple[str, str], Entry] = OrderedDict()  # the last used last
        self._bytes = 0

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
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
        with self._lock:
            self._remove((collection, key))

    async def clear(self, *, collection: str | None = None) -> int:
        with self._lock:
            now = self._clock()
            names = [name for name in self._entries if collection in (None, name[0])]
            count = sum(not self._entries[name].is_expired(now) for name in names)
            for name in names:
                self._remove(name)
            return count

    async def stats(self) -> StoreStats:
        with self._lock:
            now = self._clock()
            sizes = [entry.size for entry in self._entries.values() if not entry.is_expired(now)]
        return StoreStats(entries=len(sizes), bytes=sum(sizes))

    async def entries(
        self, *, collection: str = "", limit: int | None = None
    ) -> AsyncIterator[Entry]:
        with self._lock:
            held = [entry for name, entry in self._entries.items() if name[0] == collection]
        held.sort(key=lambda entry: entry.created, reverse=True)
        now = self._clock()
        for entry in [entry for entry in held if not entry.is_expired(now)][:limit]:
            yield entry

    async def flush(self) -> None:
        """Do nothing: memory is all there is."""

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
