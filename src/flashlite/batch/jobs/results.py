"""What came of a job: each result waits for its request, or each request for its result."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from tempfile import SpooledTemporaryFile

from ...errors import CompletionError, FlashliteError, MalformedResponseError
from ...providers.batches import BatchAdapter, JobResult

log = logging.getLogger("flashlite.batch")

_IN_MEMORY = 8_000_000  # bytes of results that nobody asked for yet
_AT_ONCE = 100  # requests that go on before others get their turn


result_ids: ContextVar[list[str] | None] = ContextVar("result_ids", default=None)
"""The ids of all requests whose results a task was given: one answer may take several."""


class Results:
    """The results of one job; those that came are kept aside, in a file if they are many.

    `given` are the ids of the requests that were result_ids what came of them.
    """

    def __init__(self, adapter: BatchAdapter) -> None:
        self._adapter = adapter
        self._waiting: dict[str, asyncio.Future[JobResult]] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._kept = SpooledTemporaryFile[bytes](max_size=_IN_MEMORY)
        self.given = set[str]()
        self._failure: FlashliteError | None = None
        self._undone: CompletionError | None = None

    async def get(self, custom_id: str) -> JobResult:
        """Wait for the result of a request; raises what kept us from hearing of it."""
        result = self._known(custom_id)
        if result is None:
            waiting = self._waiting[custom_id] = asyncio.get_running_loop().create_future()
            try:
                result = await waiting
            finally:
                self._waiting.pop(custom_id, None)
        self.given.add(custom_id)
        if (ids := result_ids.get()) is not None:
            ids.append(custom_id)
        return result

    async def add(self, line: bytes) -> None:
        """Take a line of results in; a second result of a request does not count."""
        try:
            result = self._adapter.read_result(line)
        except MalformedResponseError as error:
            log.warning("a line of a job's results cannot be read: %s", error)
            return
        if result.custom_id in self._places:
            return
        self._keep(result.custom_id, line)
        waiting = self._waiting.get(result.custom_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(result)
        if not len(self._places) % _AT_ONCE:
            await asyncio.sleep(0)

    async def finish(self, undone: CompletionError) -> None:
        """Say that nothing more comes: whoever has no result yet was not done, and why."""
        self._undone = undone
        for number, (custom_id, waiting) in enumerate(list(self._waiting.items()), 1):
            if not waiting.done():
                waiting.set_result(JobResult(custom_id=custom_id, error=undone.copy()))
            if not number % _AT_ONCE:
                await asyncio.sleep(0)

    def fail(self, error: FlashliteError) -> None:
        """Say that nobody knows what became of the others, and why."""
        self._failure = error
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error.copy())

    def close(self) -> None:
        """Let go of everything; who waits is cancelled."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._kept.close()

    def _known(self, custom_id: str) -> JobResult | None:
        if custom_id in self._places:
            return self._read(custom_id)
        if self._failure is not None:
            raise self._failure.copy()
        if self._undone is not None:
            return JobResult(custom_id=custom_id, error=self._undone.copy())
        return None

    def _keep(self, custom_id: str, line: bytes) -> None:
        start = self._kept.seek(0, 2)
        self._kept.write(line)
        self._places[custom_id] = (start, len(line))

    def _read(self, custom_id: str) -> JobResult:
        start, length = self._places[custom_id]
        self._kept.seek(start)
        return self._adapter.read_result(self._kept.read(length))
