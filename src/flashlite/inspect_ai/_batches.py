"""`--batch`: the generate calls of an eval are sent as jobs to the provider's batch API.

`BatchConfig` is documented in Inspect's `model/_generate_config.py`; Inspect's own batchers
(`model/_providers/util/batch.py`) are private and work with Inspect's own clients only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import cache

from inspect_ai.model import BatchConfig, GenerateConfig

from .. import env
from ..batch.jobs import JobProvider, Jobs, Pace
from ..providers import Host
from ..stores.by_loop import ByLoop
from ..types import CompletionRequest, CompletionResponse
from ..wire import AiohttpTransport
from ._private import PrerequisiteError

# Inspect's own defaults.
_SIZE, _SECONDS, _JOBS, _FAILURES = 100, 15.0, 50, 1000
_TOGETHER = 1.0  # seconds for which a batch that is large enough waits for more


def pace_of(config: GenerateConfig, host: Host | None, *, model: str) -> Pace | None:
    """Return the pace that a config asks for, None if it wants no batches.

    Raises PrerequisiteError if the host has no batch API.
    """
    batch = config.batch
    if not batch:
        return None
    if host is None or host.batches is None:
        whose = "" if host is None else f" of {host.name}"
        raise PrerequisiteError(
            f"flashlite/{model} cannot do batch: no batch API{whose} is known; leave it out."
        )
    if not isinstance(batch, BatchConfig):
        batch = BatchConfig(size=None if batch is True else batch)
    tick = batch.tick or _SECONDS
    return Pace(
        least=min(batch.size or _SIZE, batch.max_size or _SIZE),
        most=batch.max_size,
        idle=min(_TOGETHER, tick),
        patience=_SECONDS if batch.send_delay is None else batch.send_delay,
        poll_interval=tick,
        max_jobs=batch.max_batches or _JOBS,
        max_failures=batch.max_consecutive_check_failures or _FAILURES,
    )


@cache
def in_jobs(pace: Pace) -> InJobs:
    """Return the batch handler that all models of the process with this pace share."""
    return InJobs(pace)


class InJobs:
    """Answers by batch jobs that belong to the running event loop: they end with the eval."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._transport = AiohttpTransport(proxy_for=env.proxy_for)
        self._provider = ByLoop(self._live)

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        provider = await self._provider.get()
        return await provider(request)

    async def _live(self) -> AsyncGenerator[JobProvider]:
        jobs = Jobs(self._transport, pace=self._pace)
        try:
            yield JobProvider(jobs)
        finally:
            await jobs.aclose()
