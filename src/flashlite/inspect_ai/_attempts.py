"""Which attempt of a generate this is.

When Inspect gives up it raises tenacity's `RetryError`, which hides the reason in its traceback. An
error that says of itself that this was the last attempt is raised as it stands, at the same moment.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from inspect_ai.model import GenerateConfig

from ..errors import CompletionError, MalformedResponseError

_MALFORMED = 3  # answers with status 200 that were none, in one generate


@dataclass(slots=True)
class Attempts:
    """The attempts of one generate; Inspect passes the same config object to each of them."""

    config: GenerateConfig
    number: int = 0
    malformed: int = 0
    started: float = field(default_factory=time.monotonic)

    def may_go_on(self, error: CompletionError) -> bool:
        """Whether another attempt follows: a status 200 was paid for, so its faults are bounded."""
        self.malformed += isinstance(error, MalformedResponseError)
        return self.malformed < _MALFORMED and not self.is_last()

    def is_last(self) -> bool:
        """Whether Inspect stops after this one (`inspect_ai/model/_retry.py`, `stop`)."""
        retries, timeout = self.config.max_retries, self.config.timeout
        is_over = timeout is not None and time.monotonic() - self.started >= timeout
        return is_over or (retries is not None and self.number > retries)


_RUNNING: ContextVar[Attempts | None] = ContextVar("flashlite_attempts", default=None)


def count_attempt(config: GenerateConfig) -> Attempts:
    """Begin an attempt and return where the generate stands."""
    attempts = _RUNNING.get()
    if attempts is None or attempts.config is not config:
        attempts = Attempts(config)
        _RUNNING.set(attempts)
    attempts.number += 1
    return attempts
