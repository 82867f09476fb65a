"""The minute of a whole pool: what `Window` counts for one process, counted for all."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from operator import sub
from typing import Any

from ..windows import UNLIMITED, Amount, Grant, Window
from .pool import Pool, speaker
from .shared_line import SharedLine

_NEWS = 256  # corrections per exchange
_COUNTED = 62.0  # seconds after which a grant no longer counts anywhere


@dataclass(slots=True, eq=False)
class _SharedGrant(Grant):
    """A request that the pool let through, and the bucket (0.1 s) in which it is counted."""

    bucket: int = 0
    desk: MinuteDesk | None = None


class SharedMinute:
    """The rate limit that a `SharedLine` waits for, with one desk per event loop.

    A grant counts for 61 seconds of the pool's time, because the way from the pool through a
    process to the provider varies in duration. Unlike a `Window` it may be changed from any thread.
    `label` is the name shown to people.
    """

    def __init__(
        self,
        pool: Pool,
        name: str,
        *,
        label: str = "",
        limits: Amount = UNLIMITED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self.room = f"minute:{name}"
        self.label = label
        self._clock = clock
        self._limits = limits
        self._alone = Window(limits)
        self._last: MinuteDesk | None = None  # the desk of the latest exchange
        self.closed_until = -inf
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
        """Remove a grant as if it had not been given."""
        if isinstance(grant, _SharedGrant) and grant.desk is not None:
            grant.desk.correct(grant, Amount())
        else:
            self._alone.undo(grant)

    def correct(self, grant: Grant, amount: Amount, now: float) -> None:
        """Replace a grant's estimate by what the request actually took."""
        if isinstance(grant, _SharedGrant) and grant.desk is not None:
            grant.desk.correct(grant, amount)
            grant.is_settled = True
        else:
            self._alone.correct(grant, amount, now)

    def close_until(self, moment: float) -> None:
        """Let no process of the pool through before the given time."""
        self._alone.close_until(moment)
        self.closed_until = max(self.closed_until, moment)
        if self._last is not None:
            self._last.wake()

    def _desk(self, wake: Callable[[], None]) -> MinuteDesk:
        return MinuteDesk(self, wake)

    async def ask(self, said: dict[str, Any], *, desk: MinuteDesk) -> dict[str, Any]:
        """Run an exchange of this minute."""
        self._last = desk
        return await self._pool.ask(self.room, said)

    def now(self) -> float:
        """Return the process's own time."""
        return self._clock()


class MinuteDesk:
    """The connection of one event loop to a shared minute."""

    heartbeat = 1.5  # less than GRACE, in which a place that lost its data is told it again

    def __init__(self, minute: SharedMinute, wake: Callable[[], None]) -> None:
        self._minute = minute
        self.wake = wake
        self._line = secrets.token_hex(6)
        self._news = deque[tuple[int, Amount]]()
        self._closed_until = -inf  # as last sent to the pool
        self._busy_until = -inf
        self._seen: dict[str, Any] = {"epoch": "", "count": 0, "used": [0, 0, 0, 0]}
        self._seen_at = 0.0

    def correct(self, grant: _SharedGrant, amount: Amount) -> None:
        """Set the amount that a grant counts for."""
        change = Amount(*map(sub, amount, grant.amount))
        grant.amount = amount
        if any(change):
            self._news.append((grant.bucket, change))
            self.wake()

    def undo(self, grant: Grant) -> None:
        self._minute.undo(grant)

    def has_news(self) -> bool:
        return bool(self._news) or self._closes_for(self._minute.closed_until) > 0

    def is_busy(self) -> bool:
        return self._minute.now() < self._busy_until

    async def exchange(self, asked: Sequence[Amount], *, waiting: int) -> tuple[list[Grant], float]:
        told = [self._news.popleft() for _ in range(min(len(self._news), _NEWS))]
        closed_until = self._minute.closed_until
        heard = False
        try:
            answer = await self._minute.ask(
                {
                    "line": self._line,
                    "who": speaker(),
                    "label": self._minute.label,
                    "limits": tuple(self._minute.limits),
                    "waiting": waiting,
                    "heads": [tuple(amount) for amount in asked],
                    "told": [(bucket, *change) for bucket, change in told],
                    "close": self._closes_for(closed_until),
                    "seen": {**self._seen, "ago": self._minute.now() - self._seen_at},
                },
                desk=self,
            )
            heard = True
        finally:
            if not heard:  # the pool may have counted it, so nothing is given back twice
                self._news.extend(
                    (bucket, more) for bucket, change in told if any(more := _surplus(change))
                )
        now = self._seen_at = self._minute.now()
        self._seen = {name: answer[name] for name in ("epoch", "count", "used")}
        self._closed_until = closed_until
        if answer["granted"]:
            self._busy_until = now + _COUNTED
        granted: list[Grant] = [
            _SharedGrant(now, amount, bucket=answer["bucket"], desk=self)
            for amount in asked[: answer["granted"]]
        ]
        return granted, answer["wait"]

    def _closes_for(self, moment: float) -> float:
        """Return the seconds until a time that the pool has not been told yet, else 0."""
        return max(0.0, moment - self._minute.now()) if moment > self._closed_until else 0.0


def _surplus(change: Amount) -> Amount:
    return Amount(*(max(0, more) for more in change))
