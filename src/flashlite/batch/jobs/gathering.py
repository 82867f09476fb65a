"""Requests that wait for one another, until they are submitted together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...errors import ConfigError
from ...wire import WireRequest
from .pace import Pace
from .remote import Remote
from .results import Results
from .submissions import Submission


class Gathering:
    """A submission that grows; it is `complete` when it is full, or nobody waits any longer.

    `lines` has the requests by their ids. One that is not waited for any more is taken out.
    """

    def __init__(self, remote: Remote, pace: Pace, complete: Callable[[Gathering], None]) -> None:
        self.remote, self.results = remote, Results(remote.adapter)
        self.submission = Submission()
        self.lines: dict[str, bytes] = {}
        limits = remote.adapter.limits
        self._most = min(limits.requests, pace.most or limits.requests)
        self._pace, self._complete = pace, complete
        self._bytes = 0
        self._loop = asyncio.get_running_loop()
        self._latest = self._loop.time() + pace.patience
        self._last = self._loop.time()
        self._timer = self._loop.call_at(min(self._latest, self._last + pace.idle), self._look)

    def takes(self, line: bytes) -> bool:
        """Whether there is room for one more; raises ConfigError for what no job has room for."""
        most = self.remote.adapter.limits.bytes
        if len(line) >= most:
            raise ConfigError(f"a request of {len(line):,} bytes; a job takes {most:,} at most")
        return self._bytes + len(line) + 1 <= most

    def add(self, request: WireRequest, key: str) -> str | None:
        """Take a request in and return its id, or None where there is no room for it."""
        line = self.remote.adapter.line(self.submission.next_id(key), request)
        if not self.takes(line):
            return None
        custom_id = self.submission.add(key)
        self.lines[custom_id] = line
        self._bytes += len(line) + 1
        self._last = self._loop.time()
        if len(self.lines) >= self._most:
            self._complete(self)
        return custom_id

    def drop(self, custom_id: str) -> None:
        """Take a request out that nobody waits for, if it is not submitted yet."""
        if (line := self.lines.pop(custom_id, None)) is not None:
            self._bytes -= len(line) + 1

    def take(self) -> dict[str, bytes]:
        """Return the requests that are to be submitted; from now on none is taken out."""
        lines, self.lines = self.lines, {}
        self.submission.ids = list(lines)
        return lines

    def stop(self) -> None:
        """Wait for no more requests."""
        self._timer.cancel()

    def close(self) -> None:
        """Give up; who waits is cancelled."""
        self.stop()
        self.results.close()

    def _look(self) -> None:
        now = self._loop.time()
        is_idle = now >= self._last + self._pace.idle
        if now >= self._latest or (is_idle and len(self.lines) >= self._pace.least):
            self._complete(self)
            return
        soon = now if is_idle else self._last
        self._timer = self._loop.call_at(min(self._latest, soon + self._pace.idle), self._look)
