"""Counting the attempts of one generate call.

When Inspect gives up, it raises tenacity's `RetryError`, which hides the reason in its traceback.
So the error of the last attempt is marked as not retryable: Inspect then raises it as it is.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import ceil

from inspect_ai.model import GenerateConfig

from ..errors import CompletionError, MalformedResponseError
from ..types import Usage
from ._private import live_setting

_MALFORMED = 3  # unreadable answers with status 200, in one generate
_LONGEST_WAIT = 3600.0  # seconds; a server that asks for more is treated as refusing
_MARGIN = 0.05  # share of an attempt's time: our timeout fires before Inspect cancels the call


@dataclass(slots=True)
class Attempts:
    """The attempts of one generate; Inspect passes the same config object to each of them."""

    config: GenerateConfig
    number: int = 0
    malformed: int = 0
    used: Usage | None = None
    started: float = field(default_factory=time.monotonic)

    def add(self, used: Usage | None) -> None:
        """Add the usage of a failed attempt; it is reported with the final answer."""
        self.used = Usage.total_of([self.used, used])

    def may_go_on(self, error: CompletionError) -> bool:
        """Whether another attempt follows; malformed 200s are limited, because they were billed."""
        self.malformed += isinstance(error, MalformedResponseError)
        wait, left = error.retry_after or 0.0, self.time_left()
        is_too_long = wait > _LONGEST_WAIT or (left is not None and wait >= left)
        return self.malformed < _MALFORMED and not is_too_long and not self.is_last()

    def is_last(self) -> bool:
        """Whether Inspect stops after this one (`inspect_ai/model/_retry.py`, `stop`)."""
        retries, left = live_setting("max_retries", self.config), self.time_left()
        return (left is not None and left <= 0) or (retries is not None and self.number > retries)

    def time_left(self) -> float | None:
        """Return the seconds until Inspect stops trying, None if it never does."""
        timeout = live_setting("timeout", self.config)
        return None if timeout is None else timeout - (time.monotonic() - self.started)

    def limit(self) -> float | None:
        """Return how many seconds this attempt may take, None for no limit.

        Inspect checks the total timeout only between attempts, and cancels an attempt without
        saying what it was waiting for.
        """
        attempt, left = live_setting("attempt_timeout", self.config), self.time_left()
        limits = [] if attempt is None else [attempt * (1 - _MARGIN)]
        if left is not None:
            limits.append(max(ceil(left * 100) / 100, 0.01))  # rounded up, so that no time is left
        return min(limits, default=None)


_RUNNING: ContextVar[Attempts | None] = ContextVar("flashlite_attempts", default=None)


def count_attempt(config: GenerateConfig) -> Attempts:
    """Begin an attempt and return the attempts of its generate call."""
    attempts = _RUNNING.get()
    if attempts is None or attempts.config is not config:
        attempts = Attempts(config)
        _RUNNING.set(attempts)
    attempts.number += 1
    return attempts
