"""Batches whose requests are answered by Ray actors, on one machine or many."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from ..engine import Engine
from ..errors import CompletionError, FlashliteError
from ..many import Crowd, OneInput
from ..middleware import OnWire, fitting
from ..types import CompletionRequest, CompletionResponse
from .actor_journals import ActorJournals
from .actors import Actors, Question, Ray
from .batch import Batch, Item
from .checkpoint import Checkpoint, Intent
from .items import item_of, request_of


class RayBatch(Batch):
    """A batch whose requests are answered by Ray actors; else like `Batch`.

    Each actor has an engine of its own, made from the cache, limits, budget, retries and provider
    of the client; callbacks, logs and the cost report stay with the client itself. So limits and a
    budget have to be in a pool, which actors share; others are refused, because each actor would
    apply them separately. All actors together handle at most `max_concurrency` requests at once.

    An actor writes every answer to a journal beside the checkpoint before it reports it. If an
    actor or its machine dies, another takes its place, and its answers are read from the journal.
    Requests that were on the wire at that moment may have been billed: they are sent again, and
    counted in `lost`. If the whole batch is killed, the next run with its checkpoint reads the
    journals. This requires that all machines see the checkpoint's folder. If they do not, answers
    that a dead actor had not reported are lost too, unless actors share a cache that stores an
    answer before it returns it (`HybridRedisPostgreSQLCache`, `FSCache`).
    """

    def __init__(
        self,
        client: Engine,
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        *,
        ray: Ray,
        max_concurrency: int,
        **how: Any,
    ) -> None:
        self._client, self._ray, self._options = client, ray, client.inner_options()
        self._at_once = min(max_concurrency, client.max_concurrency or max_concurrency)
        self._wire = OnWire()
        self._actors: Actors | None = None
        crowd = partial(Crowd, workers=self._at_once, wire=self._wire)
        super().__init__(requests, self._item, crowd, **how)

    @asynccontextmanager
    async def _ready(self, checkpoint: Checkpoint) -> AsyncIterator[None]:
        journals = ActorJournals(checkpoint.path)
        actors = Actors(self._ray, self._options, journals, at_once=self._at_once)
        async with super()._ready(checkpoint), actors:
            self._actors = actors
            try:
                yield
            finally:
                self._actors = None
        journals.remove()  # everything was reported

    async def _item(self, one: OneInput) -> Item:
        request = await request_of(self._client, one)

        async def call(intent: Intent) -> CompletionResponse:
            handle = self._client.outer_handler(
                partial(self._wire, call_next=partial(self._ask, intent))
            )
            return fitting(await handle(request), request.response_model)

        return item_of(request, call)

    async def _ask(self, intent: Intent, request: CompletionRequest) -> CompletionResponse:
        """Let an actor answer; the answer's `lost` counts requests lost on the way."""
        assert self._actors is not None
        lost = 0

        def lose() -> None:
            nonlocal lost
            lost += 1
            self.lost += 1
            intent.lose()
            intent()

        intent()
        question = Question(request=request, item=intent.item, position=intent.position)
        answer = await self._actors.ask(question, on_loss=lose)
        if isinstance(answer, CompletionResponse | CompletionError):
            answer.lost += lost
        if isinstance(answer, FlashliteError):
            raise answer
        return answer
