"""Which attempt of a generate this is.

When Inspect gives up it raises tenacity's `RetryError`, which hides the reason in its traceback. An
error that says of itself that this was the last attempt is raised as it stands, at the same moment.
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

_MALFORMED = 3  # answers with status 200 that were none, in one generate
_LONGEST_WAIT = 3600.0  # seconds; a server that asks for more has said no to this eval
_MARGIN = 0.05  # of an attempt's time: we say that it is over before Inspect cancels us


@dataclass(slots=True)
class Attempts:
    """The attempts of one generate; Inspect passes the same config object to each of them."""

    config: GenerateConfig
    number: int = 0
    malformed: int = 0
    used: Usage | None = None
    started: float = field(default_factory=time.monotonic)

    def add(self, used: Usage | None) -> None:
        """Note what was used in vain: whoever answers in the end tells it."""
        self.used = Usage.total_of([self.used, used])

    def may_go_on(self, error: CompletionError) -> bool:
        """Whether another attempt follows: a status 200 was paid for, so its faults are bounded."""
        self.malformed += isinstance(error, MalformedResponseError)
        wait, left = error.retry_after or 0.0, self.time_left()
        is_too_long = wait > _LONGEST_WAIT or (left is not None and wait >= left)
        return self.malformed < _MALFORMED and not is_too_long and not self.is_last()

    def is_last(self) -> bool:
        """Whether Inspect stops after this one (`inspect_ai/model/_retry.py`, `stop`)."""
        retries, left = live_setting("max_retries", self.config), self.time_left()
        return (left is not None and left <= 0) or (retries is not None and self.number > retries)

    def time_left(self) -> float | None:
        """Return the seconds until Inspect stops trying, None where it never does."""
        timeout = live_setting("timeout", self.config)
        return None if timeout is None else timeout - (time.monotonic() - self.started)

    def limit(self) -> float | None:
        """Return how many seconds this attempt may take, None for as many as it likes.

        Inspect asks whether the time is over between attempts only, and cancels an attempt
        without a word of what it waited for.
        """
        attempt, left = live_setting("attempt_timeout", self.config), self.time_left()
        limits = [] if attempt is None else [attempt * (1 - _MARGIN)]
        if left is not None:
            limits.append(max(ceil(left * 100) / 100, 0.01))  # never so soon that it is not over
        return min(limits, default=None)


_RUNNING: ContextVar[Attempts | None] = ContextVar("flashlite_attempts", default=None)


def count_attempt(config: GenerateConfig) -> Attempts:
    """Begin an attempt and return where the generate stands."""
    attempts = _RUNNING.get()
    if attempts is None or attempts.config is not config:
        attempts = Attempts(config)
        _RUNNING.set(attempts)
    attempts.number += 1
    return attempts
