"""The jobs of one run, and those that earlier runs have submitted: each request finds its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from ...providers.batches import BatchAdapter, JobResult
from ...wire import Transport, WireRequest
from .course import Course, Means
from .gathering import Gathering
from .pace import Pace
from .remote import Remote
from .stillness import Stillness
from .submissions import Submission, Submissions, key_of


class Jobs:
    """Requests travel in jobs, and each gets its own result.

    `note` writes a line down, by its kind, before the step that it tells of may cost something;
    `earlier` is what such lines tell of other runs. A request that one of their jobs has is not
    submitted again: it gets the answer from there, wherever that job is by now. What such a job did
    not answer is submitted anew.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        pace: Pace | None = None,
        note: Callable[[str, Mapping[str, Any]], Awaitable[None]] | None = None,
        earlier: Submissions | None = None,
    ) -> None:
        self.transport, self._pace = transport, pace or Pace()
        self._earlier = earlier or Submissions()
        self._means = Means(
            pace=self._pace,
            note=note or _forget,
            seats=asyncio.Semaphore(self._pace.max_jobs),
            known=set(self._earlier.known()),
        )
        self._gatherings: dict[Hashable, Gathering] = {}
        self._courses: dict[str, Course] = {}
        self._stillness = Stillness()
        self._is_cancelled = False

    async def answer(
        self, adapter: BatchAdapter, request: WireRequest, *, provider: str
    ) -> JobResult:
        """Wait for the result of a request: hours perhaps.

        Raises what kept us from submitting it or from hearing of it.
        """
        key, remote = key_of(request), Remote(adapter, self.transport, request, provider=provider)
        self._stillness.add()
        while (found := self._earlier.take(key)) is not None:
            submission, custom_id = found
            course = self._adopted(submission, remote)
            result = await course.results.get(custom_id)
            if result.is_answer:
                return result
        gathering, custom_id = self._gathered(remote, request, key)
        try:
            return await gathering.results.get(custom_id)
        finally:
            gathering.drop(custom_id)

    async def cancel(self) -> None:
        """Ask that no job does anything more; what was answered by then still comes."""
        self._is_cancelled = True
        for gathering in list(self._gatherings.values()):
            self._submit(gathering)
        for course in list(self._courses.values()):
            await course.cancel()

    async def settle(self) -> None:
        """Note of each job that has nothing more to give that all of it is on file."""
        for name, course in self._courses.items():
            left = set(course.submission.ids) - course.results.given
            if all(map(self._earlier.is_taken, left)):
                await self._means.note("closed", {"name": name})

    async def aclose(self) -> None:
        """Look after the jobs no longer; those that were submitted go on at their provider."""
        self._stillness.end()
        for gathering in self._gatherings.values():
            gathering.close()
        self._gatherings.clear()
        ending = [course.close() for course in self._courses.values()]
        await asyncio.gather(*ending, return_exceptions=True)

    def _gathered(self, remote: Remote, request: WireRequest, key: str) -> tuple[Gathering, str]:
        """Put a request to those with which it can travel."""
        together = (
            type(remote.adapter),
            request.url,
            tuple(sorted(request.headers.items())),
            request.json.get("model"),
        )
        while True:
            gathering = self._gatherings.get(together)
            if gathering is None:
                gathering = Gathering(remote, self._pace, self._submit)
                self._gatherings[together] = gathering
            custom_id = gathering.add(request, key)
            if custom_id is not None:
                return gathering, custom_id
            self._submit(gathering)

    def _submit(self, gathering: Gathering) -> None:
        gathering.stop()
        self._gatherings = {k: g for k, g in self._gatherings.items() if g is not gathering}
        lines = gathering.take()
        if not lines:  # nobody waits any more
            gathering.close()
            return
        results, remote = gathering.results, gathering.remote
        self._begin(gathering.submission, remote, results=results, lines=lines)

    def _adopted(self, submission: Submission, remote: Remote) -> Course:
        known = self._courses.get(submission.name)
        return known or self._begin(submission, remote)

    def _begin(self, submission: Submission, remote: Remote, **what: Any) -> Course:
        course = self._courses[submission.name] = Course(submission, remote, self._means, **what)
        if self._is_cancelled:
            course.end_early()
        return course


async def _forget(kind: str, about: Mapping[str, Any]) -> None:
    """Note nothing: where no file is, a run that ends early leaves its jobs behind."""
