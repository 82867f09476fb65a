"""How long requests wait for one another, and how often a job is asked how it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from ...errors import ConfigError

_SLOWER = 1.25
_SLOWEST = 20  # times the first interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """All times are seconds.

    Requests are submitted when they are `most` (None for as many as a job takes), when they are
    `least` and no other came for `idle`, or when the first has waited for `patience`. A job is
    asked how it is after `poll_interval`, and then more and more seldom. `max_jobs` are at work at
    once. An exchange that fails is repeated `max_failures` times, as slowly; as long as nothing was
    submitted that may be paid for, `max_failures_at_first` times at most.
    """

    least: int = 1
    most: int | None = None
    idle: float = 1.0
    patience: float = inf
    poll_interval: float = 15.0
    max_jobs: int = 100
    max_failures: int = 100
    max_failures_at_first: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.poll_interval < inf:
            raise ConfigError(f"poll_interval is a number of seconds; got {self.poll_interval!r}")
        most = self.least if self.most is None else self.most
        failures = (self.max_failures, self.max_failures_at_first)
        if min(self.max_jobs, *failures, self.least, most) < 1:
            raise ConfigError(f"sizes and counts of jobs are at least 1; got {self!r:.200}")

    def waits(self) -> Iterator[float]:
        """Yield the times between one look at a job and the next."""
        wait = self.poll_interval
        while True:
            yield wait
            wait = min(wait * _SLOWER, self.poll_interval * _SLOWEST)
