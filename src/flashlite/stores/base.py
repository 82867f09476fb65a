"""The store protocol: keep entries under a key, in collections, for as long as they are valid.

A store does not interpret requests and models: keys, shared calls and hit counts belong to the
cache layer above it. No method returns, yields or counts an expired entry.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from ..errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stored answer.

    `key` is a hex digest of `request`, the canonical JSON of everything that decides the answer;
    `response` is the JSON of the answer. `created` and `expires` are Unix seconds; an entry that
    expires at its creation is never valid, one whose `expires` is None always is.
    """

    key: str
    request: bytes
    response: bytes
    created: float
    expires: float | None = None

    @property
    def size(self) -> int:
        """The bytes of the request and the response together."""
        return len(self.request) + len(self.response)

    def is_expired(self, now: float) -> bool:
        """Return whether the entry is no longer valid at a time, or never was."""
        return self.expires is not None and self.expires <= max(now, self.created)

    def with_ttl(self, ttl: float | None) -> Entry:
        """Return the entry with an expiry this many seconds after its creation, if it has none."""
        if ttl is None or self.expires is not None:
            return self
        return replace(self, expires=self.created + ttl)


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar(Entry):
    """The stored answer to another question that means the same, judged by their vectors.

    `similarity` is at most 1; `question` is the question that was stored.
    """

    similarity: float
    question: str

    @classmethod
    def to(cls, entry: Entry, *, similarity: float, question: str) -> Similar:
        """Return an entry as a similar one, with its similarity and its question."""
        return cls(
            key=entry.key,
            request=entry.request,
            response=entry.response,
            created=entry.created,
            expires=entry.expires,
            similarity=similarity,
            question=question,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """How much a store holds: `bytes` counts requests and responses."""

    entries: int
    bytes: int


class Store(Protocol):
    """A store of answers, usable from several threads and event loops, also one after another.

    A collection is a namespace: the same key in two collections names two entries. A failure to
    read or write raises `StoreError`.
    """

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        """Return the entry, or None if there is none that is still valid."""
        ...

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Store an entry, replacing any other with its key; `get` returns it from now on."""
        ...

    async def delete(self, key: str, *, collection: str = "") -> None:
        """Remove an entry, if there is one."""
        ...

    async def clear(self, *, collection: str | None = None) -> int:
        """Remove one collection, or all if None; return how many entries were removed."""
        ...

    async def stats(self) -> StoreStats:
        """Return the totals of all collections."""
        ...

    def entries(self, *, collection: str = "", limit: int | None = None) -> AsyncIterator[Entry]:
        """Yield the entries of a collection, newest first, at most `limit` of them."""
        ...

    async def flush(self) -> None:
        """Return when every `put` is written; raise StoreError if one could not be."""
        ...

    async def aclose(self) -> None:
        """Flush, and release files, threads and connections; the next use opens them again."""
        ...


@runtime_checkable
class Leasing(Protocol):
    """A store in which only one of the processes that miss an entry asks for it."""

    def lease(self, key: str, *, collection: str = "") -> AbstractAsyncContextManager[Entry | None]:
        """Wait while another process asks for an entry; yield it, or None if the caller should ask.

        Others wait until the body has ended. A store that cannot tell yields None immediately.
        """
        ...


@runtime_checkable
class Semantic(Protocol):
    """A store that also finds entries by the meaning of their question."""

    async def nearest(self, request: bytes, *, collection: str = "") -> Similar | None:
        """Return the entry of a request that means the same, or None if there is none."""
        ...

    def expenses(self) -> dict[str, Any]:
        """Return the costs of the searches so far, by name, for the statistics."""
        ...


def check_ttl(default_ttl: float | None) -> None:
    """Raise ConfigError for an invalid lifetime."""
    if default_ttl is not None and not default_ttl >= 0:
        raise ConfigError(f"default_ttl is a number of seconds, or None for ever: {default_ttl}")
