"""Batches that are sent to the providers' batch APIs."""

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
    """A batch whose requests are sent in jobs to the provider's batch API; else like `Batch`.

    Requests are collected and split into jobs by the provider's limits. Each goes through all
    layers of its client except concurrency and rate limits: what the cache has is not submitted,
    and an answer that does not fit its `response_model` is asked for again, in another job.

    Jobs outlive the process. The next run with the same checkpoint finds the jobs that this one
    submitted, even if it was killed before it learned their ids, and collects their answers.
    Requests that a job left undone (it expired, for example) are submitted again, as often as the
    client's retries allow. `stop` leaves the jobs at the provider for the next run; `cancel` ends
    them.
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
        """Cancel the jobs; finished answers still come, the others fail and are not billed.

        Called before the batch is read, it cancels the jobs that earlier runs left.
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
