"""A store that compares meaning: Qdrant finds the answer to a question that means the same."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

from .. import env
from ..errors import ConfigError, StoreError
from .base import Entry, Similar, StoreStats, check_ttl
from .embedder import Embed, Embedder
from .qdrant_points import Name, QdrantPoints, Question
from .qdrant_server import qdrant_at
from .wording import Wording

_SWEEP_EVERY = 100  # writes


class QdrantCache:
    """A store in Qdrant that also finds entries by the meaning of their question.

        embedder = Flashlite("openai/text-embedding-3-small")
        cache = QdrantCache(path="./answers", embed=embedder.embed)
        client = Flashlite("openai/gpt-4o", cache=cache)

    A request is first looked up by its key, which needs no embedding. Otherwise the most similar
    stored question answers it, if the cosine similarity is at least `threshold`, everything else is
    equal (model, address, parameters, tools, schema, system prompts), and it may be the same
    question in other words: all numbers, names (capitalized words), quotations, signs, negations
    and the like occur in it in the same order, and no word is replaced by another in its place.
    Only questions of one line and up to 300 characters are compared by meaning, and only as the
    single user message after system prompts. A request with a history, tool results, images,
    `sample=` (so every epoch of an eval) or `n` is found only by its own key, and so is one with
    `cache="only"`, which replays.

    Two questions that pass may still have different answers: an added word, as in "brown rice", and
    differently built sentences are left to the similarity. A good threshold depends on the
    embedding; 0.95 is cautious. The `response.lineage` of such an answer has the `similarity` and
    the stored `question`; the statistics count it as `similar`, and count embeddings and their
    cost. It is not stored again under the new key.

    `embed` makes vectors: a client's `embed`, which tracks its costs, or any function of a list of
    texts. Qdrant is a server at `url` (or QDRANT_URL, with QDRANT_API_KEY), or runs in this
    process: in a folder, `path`, for one process at a time, or in ":memory:". In this process it
    compares every stored question, so use it for thousands, not more. Its collections' names begin
    with `name`; they are created at the first use. `default_ttl` is the lifetime in seconds of
    entries without an expiry of their own; expired entries are removed gradually.

    `timeout` in seconds applies to Qdrant and to each embedding. If the store is down, calls
    continue without it, unless it is `required`; without embeddings, answers are still found by
    their key.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        embed: Embed,
        api_key: str | None = None,
        path: str | os.PathLike[str] | None = None,
        threshold: float = 0.95,
        name: str = "flashlite",
        default_ttl: float | None = None,
        timeout: float = 10.0,
        required: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_ttl(default_ttl)
        if not 0 < threshold <= 1:
            raise ConfigError(f"threshold is a likeness above 0, at most 1; got {threshold!r}")
        if url is not None and path is not None:
            raise ConfigError("Qdrant is at a url, or in a path: pass one of them")
        url = url if path is not None else url or env.get("QDRANT_URL")
        api_key = api_key or env.get("QDRANT_API_KEY")
        self.required = required
        self._embedder = Embedder(embed, timeout=timeout)
        self._points = QdrantPoints(qdrant_at(url, api_key, path, timeout=timeout), name)
        self._threshold = threshold
        self._default_ttl = default_ttl
        self._clock = clock
        self._writes = count(1)

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        """Return the entry, or None if there is none that is still valid."""
        entry = await self._points.find(Name(collection, key))
        return None if entry is None or entry.is_expired(self._clock()) else entry

    async def nearest(self, request: bytes, *, collection: str = "") -> Similar | None:
        """Return the entry of the most similar question that may mean the same, or None."""
        question = await self._question(request)
        if question is None:
            return None
        found = await self._points.nearest(
            question, collection=collection, threshold=self._threshold, now=self._clock()
        )
        for entry, score in found:
            if entry.is_expired(self._clock()) or score < self._threshold:
                continue
            stored = Wording.of(entry.request)  # checked again, not left to Qdrant's filter
            if stored is not None and stored.may_say_the_same_as(question.wording):
                return Similar.to(entry, similarity=min(score, 1.0), question=stored.question)
        return None

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Store an entry; if its question cannot be embedded, store it by key only, and raise."""
        entry, name = entry.with_ttl(self._default_ttl), Name(collection, entry.key)
        if entry.is_expired(self._clock()):
            await self._points.remove(name)
            return
        try:
            question = await self._question(entry.request)
        except (ConfigError, StoreError):
            await self._points.write(name, entry, None)
            raise
        await self._points.write(name, entry, question)
        if next(self._writes) % _SWEEP_EVERY == 0:
            await self._points.remove_expired(self._clock())

    async def delete(self, key: str, *, collection: str = "") -> None:
        """Remove an entry, if there is one."""
        await self._points.remove(Name(collection, key))

    async def clear(self, *, collection: str | None = None) -> int:
        """Remove one collection, or all if None; return how many entries were removed."""
        return await self._points.clear(collection, now=self._clock())

    async def stats(self) -> StoreStats:
        """Return the number of valid entries and their bytes."""
        return await self._points.stats(now=self._clock())

    def entries(self, *, collection: str = "", limit: int | None = None) -> AsyncIterator[Entry]:
        """Yield the valid entries of a collection, newest first, at most `limit` of them."""
        return self._points.newest(collection, now=self._clock(), limit=limit)

    def expenses(self) -> dict[str, Any]:
        """Return how many texts were embedded and what that cost in dollars, None if unknown."""
        return self._embedder.expenses()

    async def flush(self) -> None:
        """Do nothing: `put` has already written the entry."""

    async def aclose(self) -> None:
        """Close the connections or the folder; the next use opens them again."""
        await self._points.aclose()

    async def _question(self, request: bytes) -> Question | None:
        wording = Wording.of(request)
        if wording is None:
            return None
        return Question(wording=wording, vector=await self._embedder.vector(wording.question))
