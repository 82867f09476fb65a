"""A limit on how many calls run at once."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from math import inf

from ..errors import ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler
from .waiting import WaitingLine


class Concurrency:
    """Let at most `limit` calls run at once, across all loops and threads.

    The others wait in order of priority, then of arrival. A stream holds its seat until its last
    event, or until its reader gives it up.
    """

    def __init__(self, limit: int) -> None:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ConfigError(f"the number of calls at once is at least 1; got {limit!r:.80}")
        self._seats = _Seats(limit)
        self._line = WaitingLine(self._seats, clock=time.monotonic)

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        seat = await self._line.enter(1, priority=request.priority)
        with ExitStack() as failed:
            failed.callback(self._give_back, seat)
            response = await call_next(request)
            failed.pop_all()
        await response.on_complete(partial(self._give_back, seat))
        return response

    def _give_back(self, seat: object, _: CompletionResponse | None = None) -> None:
        self._line.tell(partial(self._seats.undo, seat))


class _Seats:
    """A `Room` that opens when a running call ends."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = set[object]()

    def opens_at(self, amount: int, now: float) -> float:
        return now if len(self._taken) + amount <= self._limit else inf

    def take(self, amount: int, now: float) -> object:
        seat = object()
        self._taken.add(seat)
        return seat

    def undo(self, seat: object) -> None:
        self._taken.discard(seat)

    def after_fork(self) -> None:
        self._taken.clear()
