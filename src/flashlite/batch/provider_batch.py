"""Batches of requests that providers answer by their batch APIs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from ..engine import Engine
from ..many import Crowd, OneInput
from ..middleware import fitting
from ..types import CompletionResponse, Handler
from ..types.holding import holding
from .batch import Batch, Item
from .checkpoint import Checkpoint, Intent
from .items import item_of, request_of
from .jobs import JobProvider, Jobs, Pace, result_ids

log = logging.getLogger("flashlite.batch")


class ProviderBatch(Batch):
    """A batch whose requests travel in jobs; otherwise it is as `Batch` says.

    Requests wait for one another and are split as the provider's limits want it. Each goes through
    all layers of its client but the seats and the minute: what the cache has is not submitted, and
    an answer that does not fit its `response_model` is asked for again, in another job.

    Jobs outlive the process. The next run with the same checkpoint finds those that this one has
    submitted, even if it was killed before it heard their names, and collects what they bring. What
    a job left undone (it expired, say) is submitted again, as often as the client's retries allow.
    `stop` leaves the jobs at their provider for the next run; `cancel` ends them.
    """

    def __init__(
        self,
        client: Engine,
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        crowd: Callable[..., Crowd],
        *,
        pace: Pace,
        **how: Any,
    ) -> None:
        super().__init__(requests, self._item, crowd, **how)
        self._client, self._transport, self._pace = client, client.transport, pace
        self._is_cancelled = False
        self._jobs: Jobs | None = None
        self._handle: Handler | None = None

    async def cancel(self) -> None:
        """End the jobs; answers that were ready come still, the others fail and are not billed.

        Where the batch is not read yet, it ends what earlier runs have left of these requests.
        """
        self._is_cancelled = True
        if self._jobs is not None:
            await self._jobs.cancel()

    @asynccontextmanager
    async def _ready(self, checkpoint: Checkpoint) -> AsyncIterator[None]:
        if count := checkpoint.submissions.open:
            log.info("%s has %d jobs that may still bring answers", checkpoint.path, count)

        note, earlier = checkpoint.note, checkpoint.submissions
        jobs = self._jobs = Jobs(self._transport, pace=self._pace, note=note, earlier=earlier)
        self._handle = self._client.batch_handler(JobProvider(jobs))
        if self._is_cancelled:
            await jobs.cancel()
        try:
            yield
            await jobs.settle()
        finally:
            self._jobs = self._handle = None
            await jobs.aclose()

    async def _item(self, one: OneInput) -> Item:
        request = await request_of(self._client, one)
        patient = request.with_(timeout=replace(request.timeout, total=None))

        async def call(intent: Intent) -> CompletionResponse:
            assert self._handle is not None
            with holding(result_ids, intent.parts):
                return fitting(await self._handle(patient), request.response_model)

        return item_of(request, call)
