"""The layer that retries failed calls, within the caller's timeout."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from numbers import Real

from ..errors import APITimeoutError, CompletionError, ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler

log = logging.getLogger("flashlite.retry")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """The number of attempts and the delays between them.

    `max_attempts` counts all requests sent, including the first. Delays are in seconds:
    `initial_delay`, times `exponential_base` for each further attempt, at most `max_delay`; with
    `jitter`, a random value from half of that to all of it. A server's Retry-After is obeyed even
    where it is longer.
    """

    max_attempts: int = 3
    initial_delay: float = 1.0
    max_delay: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True

    def __post_init__(self) -> None:
        numbers = (self.initial_delay, self.max_delay, self.exponential_base)
        if not isinstance(self.max_attempts, int) or not all(isinstance(n, Real) for n in numbers):
            raise ConfigError(f"attempts and delays are numbers; got {self!r:.200}")
        if self.max_attempts < 1:
            raise ConfigError(f"max_attempts counts the first request too: {self.max_attempts} < 1")
        if self.initial_delay < 0 or self.max_delay < 0 or self.exponential_base < 1:
            raise ConfigError("retry delays cannot be negative, nor exponential_base below 1")

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait after a failed attempt; `chance` (0 to 1) sets the jitter."""
        try:
            full = min(self.max_delay, self.initial_delay * self.exponential_base ** (attempt - 1))
        except OverflowError:
            full = self.max_delay
        return full * (0.5 + chance / 2) if self.jitter else full


class Retry:
    """Repeat a failed call if its error is retryable and the time allows it."""

    def __init__(
        self,
        config: RetryConfig | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not isinstance(config, RetryConfig | None):
            raise ConfigError(f"retry is a RetryConfig(max_attempts=...); got {config!r:.80}")
        self._config = config or RetryConfig()
        self._sleep = sleep
        self._clock = clock
        self._chance = chance

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        started, lost = self._clock(), 0
        for attempt in count(1):
            try:
                left = self._time_left(request, started) if attempt > 1 else request.timeout.total
                response = await _within(left, request, call_next)
            except CompletionError as error:
                error.attempts, error.lost = attempt, lost
                lost += error.may_be_billed
                delay = self._delay(error, attempt, self._time_left(request, started))
                if delay is None:
                    raise
                log.info("attempt %d failed, next in %.1f s: %s", attempt, delay, error)
            else:
                response.attempts, response.lost = attempt, lost
                response.fallback_from = request.fallback_from
                return response
            await self._sleep(delay)
        raise AssertionError("unreachable")

    def _time_left(self, request: CompletionRequest, started: float) -> float | None:
        total = request.timeout.total
        return None if total is None else total - (self._clock() - started)

    def _delay(self, error: CompletionError, attempt: int, left: float | None) -> float | None:
        """Return the seconds to wait before the next attempt, or None if there is none."""
        if not error.retryable or attempt >= self._config.max_attempts:
            return None
        delay = max(self._config.delay(attempt, self._chance()), error.retry_after or 0.0)
        return delay if left is None or delay < left else None


async def _within(
    left: float | None, request: CompletionRequest, call_next: Handler
) -> CompletionResponse:
    """Make one attempt within the rest of the total time, up to a stream's last byte."""
    total = request.timeout.total
    if left != total and left is not None:
        request = request.with_(timeout=replace(request.timeout, total=max(left, 0.001)))
    try:
        async with asyncio.timeout(left):
            return await call_next(request)
    except TimeoutError as error:
        late = APITimeoutError(
            "no answer in time" if total is None else f"no answer within {total:g} s"
        )
        late.model = request.model
        raise late from error
