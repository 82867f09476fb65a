"""What the tests of the stores share: a clock that is set by hand, and entries."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flashlite.stores import DiskCache, Entry, FSCache, MemoryCache, QdrantCache, Store

KINDS = ("memory", "disk", "files", "qdrant")


class Clock:
    """Unix time, moved by hand."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def new_store(
    kind: str, folder: Path, clock: Clock, *, default_ttl: float | None = None
) -> MemoryCache | DiskCache | FSCache | QdrantCache:
    if kind == "memory":
        return MemoryCache(default_ttl=default_ttl, clock=clock)
    if kind == "disk":
        return DiskCache(folder / "new" / "answers.db", default_ttl=default_ttl, clock=clock)
    if kind == "qdrant":
        return QdrantCache(path=":memory:", embed=no_embed, default_ttl=default_ttl, clock=clock)
    return FSCache(folder / "new" / "answers", default_ttl=default_ttl, clock=clock)


async def no_embed(texts: list[str]) -> list[list[float]]:
    """Stand for embeddings where no entry has a question."""
    raise AssertionError(texts)


def make_entry(
    question: str = "Hi",
    answer: str = "Hello",
    *,
    created: float = 1_700_000_000.0,
    expires: float | None = None,
) -> Entry:
    return Entry(
        key=key_of(question),
        request=b'{"question":"%b"}' % question.encode(),
        response=b'{"answer":"%b"}' % answer.encode(),
        created=created,
        expires=expires,
    )


def key_of(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()


async def all_entries(
    store: Store, *, collection: str = "", limit: int | None = None
) -> list[Entry]:
    return [entry async for entry in store.entries(collection=collection, limit=limit)]
