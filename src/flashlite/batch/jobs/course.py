"""The course of one job: submitted or found, looked after, collected."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from ...errors import (
    CompletionError,
    FlashliteError,
    MalformedResponseError,
    NotFoundError,
    RateLimitError,
)
from ...providers.batches import RemoteJob, cancelled, expired
from .finding import find
from .pace import Pace
from .remote import Remote
from .results import Results
from .submissions import Submission

log = logging.getLogger("flashlite.batch")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the jobs of one run have in common.

    `note` writes a line down before the step that it tells of. `known` are the jobs, by their
    providers' names, that belong to a submission. `seats` are for those that are at work at once.
    """

    pace: Pace
    note: Callable[[str, Mapping[str, Any]], Awaitable[None]]
    seats: asyncio.Semaphore
    known: set[str] = field(default_factory=set[str])


class Course:
    """One submission on its way; `lines` are its requests, None where an earlier run had them.

    Whoever waits for its `results` is told how it ends.
    """

    def __init__(
        self,
        submission: Submission,
        remote: Remote,
        means: Means,
        *,
        results: Results | None = None,
        lines: Mapping[str, bytes] | None = None,
    ) -> None:
        self.submission, self.results = submission, results or Results(remote.adapter)
        self._remote, self._means, self._lines = remote, means, lines
        self._is_cancelled = False
        self._may_run = lines is None  # a job of it, which is paid for
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._tell)

    def end_early(self) -> None:
        """Cancel the job as soon as it is known, and submit none."""
        self._is_cancelled = True

    async def cancel(self) -> None:
        """Ask that the job does nothing more; what it has done by then still comes."""
        self.end_early()
        if self.submission.job is not None:
            await self._cancel(self.submission.job)

    def close(self) -> asyncio.Task[None]:
        """Look after it no longer, and return what is ending; the job goes on at its provider."""
        self._task.cancel()
        self.results.close()
        return self._task

    async def _run(self) -> None:
        try:
            async with self._means.seats:
                undone = await self._follow_to_end()
        except FlashliteError as error:
            failure = self._explained(error)
            log.warning("a job of %d requests failed: %s", self.submission.count, failure)
            self.results.fail(failure)
        else:
            await self.results.finish(undone)
        finally:
            self._lines = None

    def _explained(self, error: FlashliteError) -> FlashliteError:
        """Say what a failure leaves open; nobody may ask again: it was tried, or there is a job."""
        if not isinstance(error, CompletionError):
            return error
        error.sign(self._remote.provider, "")
        if isinstance(error, NotFoundError) and self._lines is None:
            error.reason += (
                f"; an earlier run has submitted {self.submission.job}: perhaps with another key, "
                "or too long ago; cancel gives it up"
            )
        elif isinstance(error, NotFoundError) and self.submission.job is None:
            error.reason += (
                "; perhaps there is no batch API: leave mode='provider' (--provider) out"
            )
        if error.retryable and not self._may_run:
            error.reason += "; no job was submitted"
            error.retryable = False
        if not error.retryable:
            return error
        job = self.submission.job or "the job, if there is one,"
        unheard = CompletionError(
            f"{error.reason}; {job} may still bring the answer, so it is not asked for again: the "
            "next run with the same checkpoint looks there"
        )
        unheard.__cause__ = error
        return unheard

    async def _follow_to_end(self) -> CompletionError:
        """Collect what the job brings; return why it brings nothing more."""
        tries = islice(self._means.pace.waits(), self._means.pace.max_failures)
        while not (self._is_cancelled and self._lines is not None):
            job = await self._submitted_job()
            if job is None:
                return CompletionError("the run that was to submit this request ended before it")
            job = await self._until_over(job)
            if job.error is None:
                await self._patiently(partial(self._collect, job))
                log.info("%s is over: %s", job.id, job.state)
                return _reason(job)
            wait = next(tries, None)
            comes_too_soon = isinstance(job.error, RateLimitError) and job.error.retryable
            if wait is None or self._lines is None or not comes_too_soon:
                return job.error
            log.warning("%s is submitted again in %.0f s: %s", job.id, wait, job.error)
            await asyncio.sleep(wait)
        return cancelled()

    async def _submitted_job(self) -> RemoteJob | None:
        """Return the job; that of an earlier run may never have come to be."""
        if self._lines is not None:
            job: RemoteJob | None = await self._create(list(self._lines.values()))
        elif self.submission.job is not None:
            return await self._fetch_earlier(self.submission.job)
        else:
            job = await self._find_job()
            if job is None:  # a list of jobs may lag behind
                await asyncio.sleep(self._means.pace.poll_interval)
                job = await self._find_job()
        if job is not None:
            self._means.known.add(job.id)
            self.submission.job = job.id
            await self._means.note("job", {"name": self.submission.name, "job": job.id})
        return job

    async def _fetch_earlier(self, id: str) -> RemoteJob | None:
        """Fetch the job of an earlier run; one that its provider does not know may be given up."""
        try:
            return await self._patiently(partial(self._remote.fetch, id))
        except NotFoundError:
            if not self._is_cancelled:
                raise
            return None

    async def _create(self, lines: list[bytes]) -> RemoteJob:
        """Submit a job, once; where that failed, look whether it came to be all the same."""
        submission, remote = self.submission, self._remote
        if submission.file is None:
            submission.file = await self._patiently(partial(remote.upload, submission.name, lines))
        if self._is_cancelled:
            raise cancelled()
        submission.at = time.time()
        await self._means.note("submission", submission.to_dict())
        for failures, wait in enumerate(self._means.pace.waits(), 1):
            try:
                job = await remote.create(submission.name, file=submission.file, lines=lines)
            except CompletionError as error:
                self._may_run |= error.was_sent
                if not await self._pause(error, failures, wait):
                    if not (self._may_run and error.retryable):
                        await self._means.note("closed", {"name": submission.name})
                    raise
            else:
                self._may_run = True
                log.info("%s has %d requests", job.id, len(lines))
                return job
            if self._may_run and (found := await self._find_job()) is not None:
                return found
        raise AssertionError("unreachable")

    async def _find_job(self) -> RemoteJob | None:
        others, until_over = self._means.known, self._until_over
        look = partial(find, self.submission, self._remote, others=others, until_over=until_over)
        return await self._patiently(look)

    async def _until_over(self, job: RemoteJob) -> RemoteJob:
        if self._is_cancelled and job.id == self.submission.job and not job.is_over:
            await self._cancel(job.id)
        waits = self._means.pace.waits()
        while not job.is_over:
            await asyncio.sleep(next(waits))
            job = await self._patiently(partial(self._remote.fetch, job.id))
        return job

    async def _cancel(self, id: str) -> None:
        try:
            await self._remote.cancel(id)
        except CompletionError as error:  # it was over, perhaps
            log.warning("%s was not cancelled: %s", id, error)

    async def _collect(self, job: RemoteJob) -> None:
        async with aclosing(self._remote.lines(job)) as lines:
            async for line in lines:
                if line.strip():
                    await self.results.add(line)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again as long as the failure says that this is worth it."""
        for failures, wait in enumerate(self._means.pace.waits(), 1):
            try:
                return await ask()
            except CompletionError as error:
                if not await self._pause(error, failures, wait):
                    raise
        raise AssertionError("unreachable")

    async def _pause(self, error: CompletionError, failures: int, wait: float) -> bool:
        """Wait until an exchange is tried again; return False where it is not."""
        pace, most = self._means.pace, self._means.pace.max_failures
        if not (self._may_run or self._means.known):
            most = min(most, pace.max_failures_at_first)
        if not error.retryable or failures > most:
            return False
        wait = max(wait, error.retry_after or 0.0)
        error.sign(self._remote.provider, "")
        log.warning("try %d of %d failed, the next in %.0f s: %s", failures, most + 1, wait, error)
        await asyncio.sleep(wait)
        return True

    def _tell(self, task: asyncio.Task[None]) -> None:
        """Leave nobody waiting for a task that ended by a mistake of ours."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.results.fail(FlashliteError(f"a job could not be looked after: {error!r}"))


def _reason(job: RemoteJob) -> CompletionError:
    """Return why a request has no result though its job is over."""
    if job.state == "expired":
        return expired()
    if job.state in ("cancelled", "canceled"):
        return cancelled()
    return MalformedResponseError(f"{job.id} is over, and has no result of this request")
