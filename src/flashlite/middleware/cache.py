"""The layer that answers repeated requests from a store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import APITimeoutError, CacheMiss, CompletionError, FlashliteError
from ..models import lookup
from ..stores import Entry, Leasing, Semantic, Store, StoreError
from ..types import CompletionRequest, CompletionResponse, Handler, Target
from .aim import aimed
from .cache_key import canonical, differences, key_of
from .flights import Flight, Flights
from .stored_answer import is_worth_keeping, read_answer, write_answer

log = logging.getLogger("flashlite.cache")

_NEAREST_OF = 1000  # stored requests searched for the nearest one


@dataclass(slots=True)
class CacheCounts:
    """The outcomes of the calls that asked the cache; `similar` is included in `hits`."""

    hits: int = 0
    similar: int = 0
    misses: int = 0
    shared: int = 0
    stored: int = 0


class Cache:
    """Answer from a store; identical calls in flight share one.

    `request.cache` selects the mode: "on", "off", "refresh" (ask again and store), "only" (a miss
    raises CacheMiss). No call waits for a stream that another caller reads. A store that is down
    counts as a miss, with one warning; if it is `required`, the call fails before anything is sent.
    A paid answer is returned even where it cannot be stored.

    Where processes share a store with leases, one of them asks and the others wait for its entry.
    Where the call itself is not stored, a store that compares meaning is searched for a similar
    question; `lineage` then shows which.

    Only complete answers that are not refusals are stored; a hit is a new object that costs
    nothing.
    """

    def __init__(
        self,
        store: Store,
        *,
        target: Callable[[CompletionRequest], Target] = aimed,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.counts = CacheCounts()
        self._target = target
        self._required: bool = getattr(store, "required", False)
        self._leasing: Leasing | None = store if isinstance(store, Leasing) else None
        self._semantic: Semantic | None = store if isinstance(store, Semantic) else None
        self._failure: StoreError | None = None
        self._clock = clock
        self._flights: Flights[Entry | CompletionError] = Flights()
        self._warned: set[str] = set()

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        if request.cache == "off":
            return await call_next(request)
        self._warn_of_repetition(request)
        target = self._target(request)
        decisive = canonical(request, target)
        key = key_of(decisive)
        while isinstance(joined := await self._join(key, target, request), Entry):
            known = read_answer(joined, request.response_model)
            if known is not None:
                self.counts.shared += 1
                return self._count_hit(known, request)
            # It passes the leader's validation and not this one's: two models may share one schema.
        if isinstance(joined, CompletionError):
            self.counts.shared += 1
            raise joined.copy(usage=None, was_sent=False)  # nothing was sent for a follower
        return await self._lead(_Kept(key, decisive, joined), request, call_next)

    async def _join(
        self, key: str, target: Target, request: CompletionRequest
    ) -> Flight[Entry | CompletionError] | Entry | CompletionError:
        """Wait for a call in flight with the same key and the same timeouts, if there is one."""
        patience = (request.timeout, request.structured_retries, request.strict_params)
        alike = (key, request.cache, request.cache_collection, target.account, patience)
        try:
            return await self._flights.join(alike, within=request.timeout.total)
        except TimeoutError as error:
            raise _late(request) from error

    async def stats(self) -> dict[str, Any]:
        """Return the counts, the hit rate (0 to 1) and how much the store holds."""
        counts, held = self.counts, await self.store.stats()
        asked = counts.hits + counts.misses
        return {
            "hits": counts.hits,
            "misses": counts.misses,
            "hit_rate": counts.hits / asked if asked else 0.0,
            "shared": counts.shared,
            "stored": counts.stored,
            "entries": held.entries,
            "bytes": held.bytes,
            **({"similar": counts.similar, **self._semantic.expenses()} if self._semantic else {}),
        }

    async def explain(self, request: CompletionRequest) -> list[str]:
        """Return the fields in which the nearest stored request differs; empty for a hit.

        The nearest is the one with the fewest differences among the collection's last 1,000.
        """
        nearest = await self._nearest(request)
        return ["nothing is stored in this collection"] if nearest is None else nearest

    async def _nearest(self, request: CompletionRequest) -> list[str] | None:
        """Return how the nearest stored request differs, None where there is none."""
        decisive = canonical(request, self._target(request))
        nearest: list[str] | None = None
        entries = self.store.entries(collection=request.cache_collection, limit=_NEAREST_OF)
        async for entry in entries:
            found = differences(decisive, entry.request)
            if nearest is None or len(found) < len(nearest):
                nearest = found
            if not found:
                break
        return nearest

    async def _lead(
        self, kept: _Kept, request: CompletionRequest, call_next: Handler
    ) -> CompletionResponse:
        """Look the request up, else ask; tell the followers whatever happens."""
        try:
            if known := self._known(kept, await self._find(kept, request), request):
                return known
            if request.cache == "only":
                raise CacheMiss(await self._sentence(request))
            if self._leasing is None or request.cache == "refresh":
                return await self._ask(kept, request, call_next)
            async with self._leased(self._leasing, kept.key, request) as entry:
                if known := self._known(kept, entry, request):
                    return known
                return await self._ask(kept, request, call_next)
        except BaseException as error:
            kept.flight.land(error if isinstance(error, CompletionError) else None)
            raise

    def _known(
        self, kept: _Kept, entry: Entry | None, request: CompletionRequest
    ) -> CompletionResponse | None:
        """Return the answer of an entry, or None if there is none that fits."""
        known = entry and read_answer(entry, request.response_model)
        if not known:
            return None
        kept.flight.land(entry)
        return self._count_hit(known, request)

    @asynccontextmanager
    async def _leased(
        self, store: Leasing, key: str, request: CompletionRequest
    ) -> AsyncIterator[Entry | None]:
        """Wait while another process asks the same; yield the entry it stored, if any."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(request.timeout.total):
                    lease = store.lease(key, collection=request.cache_collection)
                    entry = await held.enter_async_context(lease)
            except TimeoutError as error:
                raise _late(request) from error
            yield entry

    async def _ask(
        self, kept: _Kept, request: CompletionRequest, call_next: Handler
    ) -> CompletionResponse:
        response = await call_next(request)
        self.counts.misses += 1
        if response.is_open:  # its reader may finish at any time, or never
            kept.flight.land(None)
        try:
            await response.on_complete(partial(self._keep, kept, request))
        finally:
            kept.flight.land(kept.entry)
        return response

    async def _find(self, kept: _Kept, request: CompletionRequest) -> Entry | None:
        if request.cache == "refresh":
            return None
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
            entry = await self.store.get(kept.key, collection=request.cache_collection)
            if entry is None and self._semantic is not None and request.cache == "on":
                collection = request.cache_collection
                return await self._semantic.nearest(kept.decisive, collection=collection)
            return entry
        except StoreError as error:
            self._report(error)
            if self._required:
                raise
            return None
        except Exception as error:  # a store of the caller's own; its failure is a miss
            if self._required or isinstance(error, FlashliteError):
                raise
            log.exception("a stored answer of %s could not be looked up", request.model)
            return None

    def _count_hit(
        self, response: CompletionResponse, request: CompletionRequest
    ) -> CompletionResponse:
        self.counts.hits += 1
        self.counts.similar += "similarity" in (response.lineage or {})
        response.fallback_from = request.fallback_from
        return response

    async def _keep(
        self, kept: _Kept, request: CompletionRequest, response: CompletionResponse
    ) -> None:
        """Store an answer if it is complete."""
        if not response.ok or response.cached:
            return
        try:
            kept.entry = Entry(
                key=kept.key,
                request=kept.decisive,
                response=write_answer(response),
                created=self._clock(),
            )
            if is_worth_keeping(response):
                await self.store.put(kept.entry, collection=request.cache_collection)
                self.counts.stored += 1
        except StoreError as error:
            self._report(error)
            self._failure = error if self._required else None
        except Exception:  # a store of the caller's own; the answer is paid for and is returned
            log.exception("an answer of %s could not be stored", request.model)

    async def _sentence(self, request: CompletionRequest) -> str:
        found = await self._nearest(request)
        if found == []:
            return f"the stored answer for this request to {request.model} cannot be read"
        where = f" in collection {request.cache_collection!r}" if request.cache_collection else ""
        missing = f"no stored answer for this request to {request.model}{where}"
        if found is None:
            return f"{missing}; nothing is stored there"
        fields = "1 field" if len(found) == 1 else f"{len(found)} fields, first"
        return f"{missing}; the nearest one differs in {fields}: {found[0]}"

    def _report(self, error: StoreError) -> None:
        """Log that the store is down: that costs money, not answers."""
        if self._required:
            log.warning("the cache cannot be used, and it is required: %s", error)
        else:
            self._warn_once("down", "the cache cannot be used, every call is asked: %s", error)

    def _warn_of_repetition(self, request: CompletionRequest) -> None:
        is_meant = request.sample is not None or request.api == "embeddings"
        if is_meant or self._warned >= {"temperature", "reasoning"}:
            return
        if request.params.get("temperature") != 0:
            self._warn_once(
                "temperature",
                "cached answers repeat: a temperature other than 0 draws once for all calls that "
                "are alike; pass sample=0, 1, 2 ... for independent draws",
            )
        elif (profile := lookup(self._target(request).full_name)) and profile.reasoning_model:
            self._warn_once(
                "reasoning",
                "cached answers repeat: a reasoning model may answer differently each time; pass "
                "sample=0, 1, 2 ... for independent draws",
            )

    def _warn_once(self, about: str, sentence: str, *arguments: Any) -> None:
        if about not in self._warned:
            self._warned.add(about)
            log.warning(sentence, *arguments)


@dataclass(slots=True)
class _Kept:
    """An answer to be stored, and the flight of the callers who wait for it."""

    key: str
    decisive: bytes
    flight: Flight[Entry | CompletionError]
    entry: Entry | None = None


def _late(request: CompletionRequest) -> APITimeoutError:
    late = APITimeoutError(
        f"no answer within {request.timeout.total:g} s to the same call by somebody else"
    )
    late.model, late.was_sent = request.model, False
    return late
