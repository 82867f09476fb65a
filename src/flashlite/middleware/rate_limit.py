"""Rate limits: no more requests and tokens per minute than the provider allows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import CompletionError, ConfigError, RateLimitError
from ..types import CompletionRequest, CompletionResponse, Handler, Target, Usage
from .aim import aimed
from .limit_headers import LONGEST_PAUSE, read_limits
from .pool import Pool, SharedLine, SharedMinute, digest, open_pool
from .token_estimate import PromptSize, TokenEstimate, choices, measure
from .waiting import WaitingLine
from .windows import UNLIMITED, Amount, Grant, Window

log = logging.getLogger("flashlite.rate_limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitConfig:
    """Limits on what is sent in any 60 seconds to one endpoint, with one key, for one model.

    `tokens_per_minute` counts input and output. With `auto_detect` the limits in the server's
    response headers apply too; where both are known, the lower one.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    auto_detect: bool = False

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute"):
            limit = getattr(self, name)
            if limit is not None and not _is_limit(limit):
                raise ConfigError(f"{name} is a number of at least 1, or None; got {limit!r:.80}")

    @property
    def limits(self) -> Amount:
        """The limits per minute, inf where there is none."""
        requests, tokens = self.requests_per_minute, self.tokens_per_minute
        return Amount(
            requests=inf if requests is None else requests,
            input_tokens=inf,
            output_tokens=inf,
            tokens=inf if tokens is None else tokens,
        )


class RateLimit:
    """Delay calls until the limits per minute allow them.

    Each endpoint, key and model has its own minute, shared by all loops and threads, and by all
    clients that are given the same object. Tokens are reserved by an estimate before a call and
    corrected by its usage afterwards. A 429 with a Retry-After delays all callers, not only the one
    that got it. How long a call waited is logged at DEBUG.

    With a `pool`, or its address, all processes of the pool share the minute and wait in turn; it
    is then a second longer, because processes differ in how fast they send. Each process applies
    its own configured and detected limits.
    """

    def __init__(
        self,
        config: RateLimitConfig,
        *,
        pool: Pool | str | Path | None = None,
        target: Callable[[CompletionRequest], Target] = aimed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._pool = None if pool is None else open_pool(pool)
        self._target = target
        self._clock = clock
        self._minutes: dict[tuple[str, str, str], _Minute] = {}

    @classmethod
    def of(cls, value: RateLimitConfig | RateLimit | None) -> RateLimit | None:
        """Convert what a caller passed: the limits, an object that others share, or None."""
        if isinstance(value, RateLimit | None):
            return value
        if not isinstance(value, RateLimitConfig):
            raise ConfigError(
                f"rate_limit is a RateLimitConfig(requests_per_minute=...); got {value!r:.80}"
            )
        return cls(value)

    @property
    def is_shared(self) -> bool:
        """Whether a pool shares this limit between processes, or no limit is configured."""
        return self._pool is not None or self._config.limits == UNLIMITED

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        minute = self._minute(self._target(request))
        with await minute.turn(request) as attempt:
            response = await call_next(request)
            await response.on_complete(attempt.settle)
        return response

    def _minute(self, target: Target) -> _Minute:
        key = (target.address or target.provider, target.account, target.model)
        minute = self._minutes.get(key)
        if minute is None:
            window: Window | SharedMinute = Window()
            if self._pool is not None:
                window = SharedMinute(
                    self._pool, digest(key), label=target.full_name, clock=self._clock
                )
            fresh = _Minute(target.full_name, window, config=self._config, clock=self._clock)
            minute = self._minutes.setdefault(key, fresh)
        return minute

    async def aflush(self) -> None:
        """Return when the pool has received all pending updates, or is down."""
        for minute in list(self._minutes.values()):
            await minute.aflush()


class _Minute:
    """The limits of one endpoint, key and model, and the line of waiting requests."""

    def __init__(
        self,
        name: str,
        window: Window | SharedMinute,
        *,
        config: RateLimitConfig,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._said = UNLIMITED
        self._window = window
        self._window.limits = config.limits
        self._line = (
            window.line if isinstance(window, SharedMinute) else WaitingLine(window, clock=clock)
        )
        self._estimate = TokenEstimate()
        self._counts_tokens = config.auto_detect or config.tokens_per_minute is not None
        self._has_warned = False

    async def turn(self, request: CompletionRequest) -> _Attempt:
        """Wait until a request may be sent."""
        size, amount = PromptSize(0), Amount(requests=1)
        if self._counts_tokens:
            size = measure(request)
            amount = self._estimate.amount(request, size)
            self._warn_of_giant(amount)
        asked = self._clock()
        grant = await self._line.enter(amount, priority=request.priority)
        if grant.at - asked > 0.001:
            log.debug("%s: request %s waited %.3f s", self._name, request.id, grant.at - asked)
        return _Attempt(self, grant, size, choices(request))

    async def aflush(self) -> None:
        """Send all pending updates to the pool."""
        if isinstance(self._line, SharedLine):
            await self._line.aflush()

    def undo(self, grant: Grant) -> None:
        """Remove a request that was never sent."""
        self._line.tell(partial(self._window.undo, grant))

    def note_usage(self, grant: Grant, usage: Usage, *, size: PromptSize, choices: int) -> None:
        """Replace the estimate by what an answer used."""
        if self._counts_tokens:
            self._estimate.learn(size, usage, choices=choices)
            self._correct(
                grant, Amount(1, usage.input_tokens, usage.output_tokens, usage.total_tokens)
            )

    def note_headers(self, grant: Grant, headers: Mapping[str, str]) -> None:
        """Apply the limits in a server's headers."""
        if not headers or not self._config.auto_detect:
            return
        said = read_limits(headers, age=self._clock() - grant.at)
        if said.limits not in (UNLIMITED, self._said):
            self._line.tell(partial(self._learn, said.limits))
        self._pause(said.pause)

    def note_failure(self, grant: Grant, error: BaseException) -> None:
        """Give a failed attempt's tokens back, and delay everybody if the server asks for it."""
        self._correct(grant, Amount(requests=1))
        if not isinstance(error, CompletionError):
            return
        self.note_headers(grant, error.headers)
        # An error that is not retryable, such as an empty account, delays nobody.
        if isinstance(error, RateLimitError) and error.retryable:
            self._pause(error.retry_after or 0.0)

    def _correct(self, grant: Grant, amount: Amount) -> None:
        if amount != grant.amount:
            self._line.tell(partial(self._window.correct, grant, amount, self._clock()))

    def _pause(self, seconds: float) -> None:
        if 0 < seconds <= LONGEST_PAUSE:
            log.info("%s: nothing is sent for %.1f s, as the server asks", self._name, seconds)
            self._line.tell(partial(self._window.close_until, self._clock() + seconds))

    def _learn(self, said: Amount) -> None:
        known = (new if new < inf else old for old, new in zip(self._said, said, strict=True))
        self._said = Amount(*known)
        self._window.limits = Amount(*map(min, self._config.limits, self._said))

    def _warn_of_giant(self, amount: Amount) -> None:
        if self._has_warned:
            return
        for field, asked, limit in zip(Amount._fields, amount, self._window.limits, strict=True):
            if asked > limit:
                self._has_warned = True
                log.warning(
                    "%s: a request of about %d %s is larger than the limit of %d a minute: "
                    "it goes alone (said once)",
                    *(self._name, asked, field.replace("_", " "), limit),
                )
                return


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A request that was let through, until its actual usage is known."""

    minute: _Minute
    grant: Grant
    size: PromptSize
    choices: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if isinstance(error, ConfigError):
            self.minute.undo(self.grant)
        elif error is not None:
            self.minute.note_failure(self.grant, error)
            self.grant.is_settled = True

    def settle(self, response: CompletionResponse) -> None:
        """Record what a complete answer used; without usage, the reservation stays."""
        if response.usage is not None:
            self.minute.note_usage(self.grant, response.usage, size=self.size, choices=self.choices)
        self.minute.note_headers(self.grant, response.headers)
        self.grant.is_settled = True


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < inf
