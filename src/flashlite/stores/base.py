"""What every store does: keep entries under a key, in collections, for as long as they are valid.

A store knows nothing of requests and models: keys, shared calls and hit counts belong to the cache
layer above it. An expired entry is not there: no method returns, yields or counts it.
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
    expires at its creation was never valid, one that expires None always is.
    """

    key: str
    request: bytes
    response: bytes
    created: float
    expires: float | None = None

    @property
    def size(self) -> int:
        """How many bytes the request and the response have."""
        return len(self.request) + len(self.response)

    def is_expired(self, now: float) -> bool:
        """Whether the entry is no longer valid at a time, or never was."""
        return self.expires is not None and self.expires <= max(now, self.created)

    def with_ttl(self, ttl: float | None) -> Entry:
        """Return the entry with an expiry this many seconds after its creation, if it has none."""
        if ttl is None or self.expires is not None:
            return self
        return replace(self, expires=self.created + ttl)


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar(Entry):
    """The answer to another question that says the same, as far as numbers can tell.

    `similarity` is at most 1; `question` is the text that was answered.
    """

    similarity: float
    question: str

    @classmethod
    def to(cls, entry: Entry, *, similarity: float, question: str) -> Similar:
        """Say of an entry that it is not what was looked for, and how near it comes."""
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
    """How much a store holds: `bytes` are those of the requests and responses."""

    entries: int
    bytes: int


class Store(Protocol):
    """A shelf for answers; it serves several threads and event loops, also one after another.

    A collection is a namespace: the same key in two collections is two entries. What cannot be read
    or written is a `StoreError`.
    """

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        """Return the entry, or None where there is none that is still valid."""
        ...

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Keep an entry in the place of any other with its key; `get` returns it from now on."""
        ...

    async def delete(self, key: str, *, collection: str = "") -> None:
        """Forget an entry, if there is one."""
        ...

    async def clear(self, *, collection: str | None = None) -> int:
        """Forget one collection, or with None all of them; return how many entries that was."""
        ...

    async def stats(self) -> StoreStats:
        """Return how much all collections hold together."""
        ...

    def entries(self, *, collection: str = "", limit: int | None = None) -> AsyncIterator[Entry]:
        """Yield the entries of a collection, the last created first, at most `limit` of them."""
        ...

    async def flush(self) -> None:
        """Return when everything that was put is written; raise if something could not be."""
        ...

    async def aclose(self) -> None:
        """Flush, and let go of files and threads; the store opens again when it is used again."""
        ...


@runtime_checkable
class Leasing(Protocol):
    """What a store of several machines has too: of all who miss an entry, one asks for it."""

    def lease(self, key: str, *, collection: str = "") -> AbstractAsyncContextManager[Entry | None]:
        """Wait while somebody else asks for an entry; yield it, or None to who is to ask now.

        Others wait until the body has ended. A store that cannot tell yields None at once.
        """
        ...


@runtime_checkable
class Semantic(Protocol):
    """What a store that compares meaning has too: a look for what is not stored under its key."""

    async def nearest(self, request: bytes, *, collection: str = "") -> Similar | None:
        """Return the entry of a request that says the same, or None where there is none."""
        ...

    def expenses(self) -> dict[str, Any]:
        """Return what looking has cost so far, by name, for the statistics."""
        ...


def check_ttl(default_ttl: float | None) -> None:
    """Refuse a lifetime that means nothing."""
    if default_ttl is not None and not default_ttl >= 0:
        raise ConfigError(f"default_ttl is a number of seconds, or None for ever: {default_ttl}")
