"""The minute of a whole pool: what `Window` counts for a process, counted in Redis for all."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import sub
from typing import Any

from .redis_pool import RedisPool, script
from .shared_line import SharedLine
from .windows import UNLIMITED, Amount, Grant, Window

_NEWS = 256  # corrections that are told at once


@dataclass(slots=True, eq=False)
class _SharedGrant(Grant):
    """A request that Redis let through; it is counted in a bucket of a tenth of a second."""

    bucket: int = 0
    desk: RedisDesk | None = None


class RedisMinute:
    """The room of a `SharedLine`, said and asked at the desks of the event loops.

    What was let in counts for 61 seconds of Redis's time: the way from there over a process to the
    provider takes some more one time than another. Unlike a `Window` it may be changed
    from any thread.
    """

    def __init__(
        self,
        pool: RedisPool,
        name: str,
        *,
        limits: Amount = UNLIMITED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._name = f"minute:{name}"
        self._clock = clock
        self._limits = limits
        self._alone = Window(limits)
        self._last: RedisDesk | None = None  # where somebody was let in
        self.line: SharedLine[Amount, Grant] = SharedLine(
            pool, self._desk, alone=self._alone, clock=clock
        )

    @property
    def limits(self) -> Amount:
        return self._limits

    @limits.setter
    def limits(self, limits: Amount) -> None:
        self._limits = self._alone.limits = limits

    def undo(self, grant: Grant) -> None:
        """Strike a grant out, as if it had not been."""
        if isinstance(grant, _SharedGrant) and grant.desk is not None:
            grant.desk.correct(grant, Amount())
        else:
            self._alone.undo(grant)

    def correct(self, grant: Grant, amount: Amount, now: float) -> None:
        """Say what a request really took."""
        if isinstance(grant, _SharedGrant) and grant.desk is not None:
            grant.desk.correct(grant, amount)
            grant.is_settled = True
        else:
            self._alone.correct(grant, amount, now)

    def close_until(self, moment: float) -> None:
        """Let nobody of the pool through before a moment."""
        self._alone.close_until(moment)
        if self._last is not None:
            self._last.close_for(moment - self._clock())

    def _desk(self, wake: Callable[[], None]) -> RedisDesk:
        return RedisDesk(self, wake)

    async def ask(self, argument: dict[str, Any], *, desk: RedisDesk) -> Any:
        """Run the script on this minute."""
        self._last = desk
        return await self._pool.run(script("minute"), self._name, argument)

    def now(self) -> float:
        """Return the process's own time."""
        return self._clock()


class RedisDesk:
    """Where one event loop talks to Redis about a minute."""

    heartbeat = 0.0

    def __init__(self, minute: RedisMinute, wake: Callable[[], None]) -> None:
        self._minute = minute
        self._wake = wake
        self._line = secrets.token_hex(6)
        self._news = deque[tuple[int, Amount]]()
        self._close = 0.0
        self._seen: dict[str, Any] = {"epoch": "", "bucket": 0, "used": [0, 0, 0, 0]}

    def correct(self, grant: _SharedGrant, amount: Amount) -> None:
        """Note what a grant is to count for."""
        change = Amount(*map(sub, amount, grant.amount))
        grant.amount = amount
        if any(change):
            self._news.append((grant.bucket, change))
            self._wake()

    def close_for(self, seconds: float) -> None:
        """Note that nobody is to send for a while."""
        self._close = max(self._close, seconds)
        self._wake()

    def undo(self, grant: Grant) -> None:
        self._minute.undo(grant)

    def has_news(self) -> bool:
        return bool(self._news) or self._close > 0

    def is_busy(self) -> bool:
        return False

    async def exchange(self, asked: Sequence[Amount]) -> tuple[list[Grant], float]:
        told = [self._news.popleft() for _ in range(min(len(self._news), _NEWS))]
        close, self._close = self._close, 0.0
        heard = False
        try:
            answer = await self._minute.ask(
                {
                    "line": self._line,
                    "limits": tuple(self._minute.limits),
                    "heads": [tuple(amount) for amount in asked],
                    "told": [(bucket, *change) for bucket, change in told],
                    "close": close,
                    "seen": self._seen,
                },
                desk=self,
            )
            heard = True
        finally:
            if not heard:  # by us; by Redis perhaps, so nothing is given back twice
                self._close = max(close, self._close)
                self._news.extend((bucket, _surplus(change)) for bucket, change in told)
        self._seen = {name: answer[name] for name in ("epoch", "bucket", "used")}
        now = self._minute.now()
        granted: list[Grant] = [
            _SharedGrant(now, amount, bucket=answer["bucket"], desk=self)
            for amount in asked[: answer["granted"]]
        ]
        return granted, answer["wait"]


def _surplus(change: Amount) -> Amount:
    return Amount(*(max(0, more) for more in change))
