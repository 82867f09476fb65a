"""Limits for your own calls: `Limiter` for limits per minute, `TokenBucket` for a steady flow.

A client with `Flashlite(rate_limit=...)` keeps its limits itself; these are for requests that other
code sends.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf

from .errors import ConfigError
from .middleware import RateLimitConfig
from .middleware.waiting import WaitingLine
from .middleware.windows import Amount, Grant, Window
from .models import ModelProfile

log = logging.getLogger("flashlite.rate_limit")


@dataclass(slots=True)
class Taken:
    """What a request took beyond its reservation: set `output_tokens` as soon as it is known."""

    output_tokens: int = 0


class Limiter:
    """Hold requests back until the minute has room for them, first come, first served.

    What a key may send depends on its account and not on the model, so the limits have to be given;
    without any, no request waits and a warning is logged.
    """

    def __init__(
        self,
        model_profile: ModelProfile | None = None,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config = RateLimitConfig(
            requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
        )
        if config == RateLimitConfig():
            name = model_profile.model_name if model_profile else "this limiter"
            log.warning("no limits are known for %s: pass requests_per_minute=...", name)
        self._window = Window(config.limits)
        self._line: WaitingLine[Amount, Grant] = WaitingLine(self._window, clock=clock)
        self._clock = clock

    @asynccontextmanager
    async def limit(self, *, tokens: int = 0, requests: int = 1) -> AsyncGenerator[Taken]:
        """Wait for room for so many requests and input tokens in all, and reserve it."""
        grant = await self._line.enter(Amount(requests=requests, tokens=tokens))
        taken = Taken()
        try:
            yield taken
        finally:
            amount = Amount(requests=requests, tokens=tokens + taken.output_tokens)
            self._line.tell(lambda: self._window.correct(grant, amount, self._clock()))
            grant.is_settled = True


class TokenBucket:
    """Hold callers back until a bucket has what they ask for; it refills at a steady rate.

    `refill_rate` is per second. A caller that asks for more than the capacity waits for a full
    bucket and overdraws it; later callers wait for the refill.
    """

    def __init__(
        self,
        capacity: float,
        refill_rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (0 < capacity < inf and 0 < refill_rate < inf):
            raise ConfigError("capacity and refill_rate (per second) are positive numbers")
        self._line: WaitingLine[float, float] = WaitingLine(
            _Bucket(capacity, refill_rate, clock()), clock=clock
        )

    async def acquire(self, tokens: float = 1) -> None:
        """Wait until the bucket has so many tokens, and take them."""
        if not 0 <= tokens < inf:
            raise ConfigError(f"tokens to acquire are a number from 0 up; got {tokens!r:.80}")
        await self._line.enter(tokens)


class _Bucket:
    """The level of a `TokenBucket`; a grant is the amount that was taken."""

    def __init__(self, capacity: float, rate: float, now: float) -> None:
        self._capacity, self._rate = capacity, rate
        self._level, self._at = capacity, now

    def opens_at(self, amount: float, now: float) -> float:
        self._refill(now)
        missing = min(amount, self._capacity) - self._level
        # A shortage that is only rounding counts as none: waiting for it would be for nothing.
        return now if missing <= 1e-9 * self._capacity else now + missing / self._rate

    def take(self, amount: float, now: float) -> float:
        self._refill(now)
        self._level -= amount
        return amount

    def undo(self, grant: float) -> None:
        self._level = min(self._capacity, self._level + grant)

    def after_fork(self) -> None:
        """Keep the level in a forked child: what its parent took stays taken."""

    def _refill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = now
