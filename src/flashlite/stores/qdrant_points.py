"""Entries as points of Qdrant: answers by key, and questions by meaning.

There are two kinds of Qdrant collections: one has all answers, as payloads without vectors; the
others, one per vector length, have the questions of the answers that may be found by similarity.
Question and answer have the same id. An answer is written before its question and removed after it,
so that no question is without an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from ..errors import ConfigError, StoreError
from .base import Entry, StoreStats
from .embedder import Vector
from .qdrant_server import Qdrant
from .wording import Wording

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient
    from qdrant_client.models import Filter, Record

T = TypeVar("T")

_PAGE = 200  # entries per read
_CANDIDATES = 5  # answers fetched; the most similar one that may mean the same is used
_SIZES = 5000  # one-number payloads per read


class Name(NamedTuple):
    """The collection and key that identify an entry."""

    collection: str
    key: str

    @property
    def id(self) -> str:
        """The id of its points; raises ConfigError for a name that is not text."""
        try:
            return str(UUID(bytes=sha256(f"{self.key}\0{self.collection}".encode()).digest()[:16]))
        except UnicodeEncodeError as error:
            raise ConfigError(f"a collection's name is text: {self.collection!r:.80}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an answer may be found by besides its key."""

    wording: Wording
    vector: Vector

    def like(self, collection: str) -> str:
        """Return a digest of what must be equal in two questions that are compared."""
        common = f"{self.wording.rest} {self.vector.space} {collection}"
        return sha256(common.encode()).hexdigest()


class QdrantPoints:
    """The answers and questions in the collections of one Qdrant with a common name prefix."""

    def __init__(self, qdrant: Qdrant, name: str) -> None:
        self._qdrant = qdrant
        self._answers = f"{name}-answers"
        self._questions = f"{name}-questions-"
        self._made: WeakKeyDictionary[AsyncQdrantClient, set[str]] = WeakKeyDictionary()

    async def find(self, name: Name) -> Entry | None:
        """Return an entry, whether it is valid or not."""
        id = name.id

        async def job(client: AsyncQdrantClient) -> list[Record]:
            return await client.retrieve(self._answers, [id], with_payload=True)

        records = await self._run(job)
        return _entry(records[0]) if records else None

    async def write(self, name: Name, entry: Entry, question: Question | None) -> None:
        """Store an entry, replacing any other of its name."""
        id, payload = name.id, _payload(name, entry)
        times = {"created": entry.created, "expires": entry.expires}

        async def job(client: AsyncQdrantClient) -> None:
            from qdrant_client.models import PointStruct

            answer = PointStruct(id=id, vector={}, payload=payload)
            await client.upsert(self._answers, [answer])
            if question is not None:
                known = {
                    "collection": name.collection,
                    "like": question.like(name.collection),
                    **times,
                }
                place = await self._place_for(client, question.vector)
                vector = question.vector.numbers.tolist()
                await client.upsert(place, [PointStruct(id=id, vector=vector, payload=known)])

        await self._run(job)

    async def nearest(
        self, question: Question, *, collection: str, threshold: float, now: float
    ) -> list[tuple[Entry, float]]:
        """Return a few valid entries with the most similar questions, and their similarity."""

        async def job(client: AsyncQdrantClient) -> list[tuple[Entry, float]]:
            found = await client.query_points(
                await self._place_for(client, question.vector),
                query=question.vector.numbers.tolist(),
                query_filter=_valid(now, like=question.like(collection)),
                score_threshold=threshold,
                limit=_CANDIDATES,
                with_payload=False,
            )
            scores = {point.id: point.score for point in found.points}
            if not scores:
                return []
            records = await client.retrieve(self._answers, list(scores), with_payload=True)
            records.sort(key=lambda record: scores[record.id], reverse=True)
            return [(_entry(record), scores[record.id]) for record in records]

        return await self._run(job)

    async def remove(self, name: Name) -> None:
        """Remove an entry, if there is one."""
        id = name.id

        async def job(client: AsyncQdrantClient) -> None:
            from qdrant_client.models import PointIdsList

            for place in await self._places(client):
                await client.delete(place, PointIdsList(points=[id]))

        await self._run(job)

    async def remove_expired(self, now: float) -> None:
        """Remove expired entries."""

        async def job(client: AsyncQdrantClient) -> None:
            from qdrant_client.models import Filter, FilterSelector

            for place in await self._places(client):
                await client.delete(place, FilterSelector(filter=Filter(must=[_expired(now)])))

        await self._run(job)

    async def clear(self, collection: str | None, *, now: float) -> int:
        """Remove one collection or all; return how many valid entries were removed."""

        async def job(client: AsyncQdrantClient) -> int:
            from qdrant_client.models import FilterSelector

            counted = await client.count(self._answers, _valid(now, collection=collection))
            for place in await self._places(client):
                await client.delete(place, FilterSelector(filter=_all(collection=collection)))
            return counted.count

        return await self._run(job)

    async def stats(self, *, now: float) -> StoreStats:
        """Count entries and bytes by reading the size of each entry."""
        count, size, start = 0, 0, None
        while True:
            records, start = await self._sizes(now, start)
            count += len(records)
            size += sum((record.payload or {})["size"] for record in records)
            if start is None:
                return StoreStats(entries=count, bytes=size)

    async def newest(
        self, collection: str, *, now: float, limit: int | None
    ) -> AsyncIterator[Entry]:
        """Yield valid entries, newest first."""
        before: float | None = None
        seen: list[Any] = []  # ids with the creation time at which the next page begins
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = await self._page(collection, now, size, before, seen)
            for record in page:
                entry = _entry(record)
                if entry.created != before:
                    before, seen = entry.created, []
                seen.append(record.id)
                yield entry
            if len(page) < size:
                return
            left = None if left is None else left - size

    async def aclose(self) -> None:
        """Close the connections; the next use opens them again."""
        await self._qdrant.aclose()

    async def _sizes(self, now: float, start: Any) -> tuple[list[Record], Any]:
        async def job(client: AsyncQdrantClient) -> tuple[list[Record], Any]:
            return await client.scroll(
                self._answers, _valid(now), limit=_SIZES, offset=start, with_payload=["size"]
            )

        return await self._run(job)

    async def _page(
        self, collection: str, now: float, size: int, before: float | None, seen: list[Any]
    ) -> list[Record]:
        async def job(client: AsyncQdrantClient) -> list[Record]:
            from qdrant_client.models import Direction, OrderBy

            records, _ = await client.scroll(
                self._answers,
                _valid(now, without=seen, collection=collection),
                limit=size,
                order_by=OrderBy(key="created", direction=Direction.DESC, start_from=before),
                with_payload=True,
            )
            return records

        return await self._run(job)

    async def _run(self, job: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        async def whole(client: AsyncQdrantClient) -> T:
            await self._make(client, self._answers, {}, _ANSWERS)
            return await job(client)

        try:
            return await self._qdrant.run(whole)
        except StoreError:
            self._made.clear()  # a collection may have been removed
            raise

    async def _places(self, client: AsyncQdrantClient) -> list[str]:
        """Return the existing collections, questions before answers."""
        there = [each.name for each in (await client.get_collections()).collections]
        return [*(name for name in there if name.startswith(self._questions)), self._answers]

    async def _place_for(self, client: AsyncQdrantClient, vector: Vector) -> str:
        """Return the collection of questions with vectors of this length; create it if needed."""
        from qdrant_client.models import Distance, VectorParams

        size = len(vector.numbers)
        place = f"{self._questions}{size}"
        params = VectorParams(size=size, distance=Distance.COSINE)
        await self._make(client, place, params, _QUESTIONS)
        return place

    async def _make(
        self, client: AsyncQdrantClient, place: str, vectors: Any, fields: dict[str, str]
    ) -> None:
        """Create a collection with indices for its filters, unless it exists."""
        made = self._made.setdefault(client, set())
        if place in made:
            return
        if not await client.collection_exists(place):
            from qdrant_client.http.exceptions import UnexpectedResponse
            from qdrant_client.models import PayloadSchemaType

            try:
                await client.create_collection(place, vectors_config=vectors)
            except UnexpectedResponse as error:
                if error.status_code != 409:  # another process was faster
                    raise
            for field, kind in fields.items() if not _is_local(client) else ():
                await client.create_payload_index(place, field, PayloadSchemaType(kind))
        made.add(place)


_ANSWERS = {"collection": "keyword", "created": "float", "expires": "float"}
_QUESTIONS = {"like": "keyword", "collection": "keyword", "expires": "float"}


def _is_local(client: AsyncQdrantClient) -> bool:
    """Return whether there is no server: indices then have no effect and cause a warning."""
    from qdrant_client.local.async_qdrant_local import AsyncQdrantLocal

    return isinstance(client._client, AsyncQdrantLocal)


def _payload(name: Name, entry: Entry) -> dict[str, Any]:
    try:
        texts = {"request": entry.request.decode(), "response": entry.response.decode()}
    except UnicodeDecodeError as error:
        raise StoreError(f"Qdrant keeps texts, and an entry is none: {error}") from error
    times = {"created": entry.created, "expires": entry.expires, "size": entry.size}
    return {"collection": name.collection, "key": name.key, **times, **texts}


def _entry(record: Record) -> Entry:
    """Parse a payload of `_payload`; raise StoreError for a foreign one."""
    found = record.payload or {}
    try:
        return Entry(
            key=found["key"],
            request=found["request"].encode(),
            response=found["response"].encode(),
            created=found["created"],
            expires=found["expires"],
        )
    except (KeyError, AttributeError) as error:
        raise StoreError(f"a point of Qdrant is no stored answer: {error!r}") from error


def _expired(now: float) -> Any:
    from qdrant_client.models import FieldCondition, Range

    return FieldCondition(key="expires", range=Range(lte=now))


def _all(**fields: str | None) -> Filter:
    """Match the points whose payloads have these values; a field that is None is ignored."""
    from qdrant_client.models import FieldCondition, Filter, MatchValue

    said = {name: value for name, value in fields.items() if value is not None}
    must: list[Any] = [
        FieldCondition(key=name, match=MatchValue(value=value)) for name, value in said.items()
    ]
    return Filter(must=must)


def _valid(now: float, *, without: list[Any] | None = None, **fields: str | None) -> Filter:
    """Match the points with these values that have not expired, without some ids."""
    from qdrant_client.models import HasIdCondition

    barred = [_expired(now), *([HasIdCondition(has_id=without)] if without else [])]
    return _all(**fields).model_copy(update={"must_not": barred})
