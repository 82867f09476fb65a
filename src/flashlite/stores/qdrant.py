"""A store that compares meaning: Qdrant finds the answer to a question that says the same."""

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
    """Keep entries in Qdrant, and find them by what their question means too.

        embedder = Flashlite("openai/text-embedding-3-small")
        cache = QdrantCache(path="./answers", embed=embedder.embed)
        client = Flashlite("openai/gpt-4o", cache=cache)

    A request with the same key comes first, and needs no embedding. Else the stored question that
    is most alike answers, if its likeness (cosine) is `threshold` or more, everything else is the
    same (model, address, parameters, tools, schema, system prompts), and it may be the same
    question in other words: all numbers, names (words with a capital), quotations, signs,
    negations and their like stand in it, in the same order, and no word is exchanged for another
    one in its place. Alike can only be a question of one line and up to 300 characters, the one
    user message after system prompts. A request with a history, results of tools, images,
    `sample=` (so every epoch of an eval) or `n` is answered by its own key alone, and so is
    `cache="only"`, which replays.

    Two questions that pass may still have different answers: a word more, as in "brown rice", and
    sentences that are built otherwise are left to the likeness. What a good threshold is, the
    embedding decides; 0.95 is a careful one. `response.lineage` of such an answer has the
    `similarity` and the stored `question`; the statistics count them as `similar`, and embeddings
    with their cost. An answer that was found so is not stored again.

    `embed` makes vectors: a client's `embed`, which keeps account of its costs, or any function of
    a list of texts. Qdrant is a server at `url` (or QDRANT_URL, with QDRANT_API_KEY), or lives in
    this process: in a folder, `path`, that one process uses at a time, or in ":memory:", where it
    looks at every question, so let them be thousands, not more. Its collections begin with `name`
    and are made at the first use. `default_ttl` is the lifetime in seconds of an entry that brings
    no expiry of its own; expired ones are removed little by little.

    `timeout` seconds are for Qdrant, and as many for an embedding. Calls go on without a store that
    is down, unless it is `required`; without embeddings, answers are still found by their key.
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
        entry = await self._points.find(Name(collection, key))
        return None if entry is None or entry.is_expired(self._clock()) else entry

    async def nearest(self, request: bytes, *, collection: str = "") -> Similar | None:
        """Return the entry of the question that is most alike of those that may say the same."""
        question = await self._question(request)
        if question is None:
            return None
        found = await self._points.nearest(
            question, collection=collection, threshold=self._threshold, now=self._clock()
        )
        for entry, score in found:
            if entry.is_expired(self._clock()) or score < self._threshold:
                continue
            stored = Wording.of(entry.request)  # what Qdrant was asked for, it is not only believed
            if stored is not None and stored.may_say_the_same_as(question.wording):
                return Similar.to(entry, similarity=min(score, 1.0), question=stored.question)
        return None

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Keep an entry; if its question cannot be embedded, under its key alone, and raise."""
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
        await self._points.remove(Name(collection, key))

    async def clear(self, *, collection: str | None = None) -> int:
        return await self._points.clear(collection, now=self._clock())

    async def stats(self) -> StoreStats:
        return await self._points.stats(now=self._clock())

    def entries(self, *, collection: str = "", limit: int | None = None) -> AsyncIterator[Entry]:
        return self._points.newest(collection, now=self._clock(), limit=limit)

    def expenses(self) -> dict[str, Any]:
        """Return how many texts were embedded and what that cost in dollars, None if unknown."""
        return self._embedder.expenses()

    async def flush(self) -> None:
        """Do nothing: what was put is written."""

    async def aclose(self) -> None:
        await self._points.aclose()

    async def _question(self, request: bytes) -> Question | None:
        wording = Wording.of(request)
        if wording is None:
            return None
        return Question(wording=wording, vector=await self._embedder.vector(wording.question))
