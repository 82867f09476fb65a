"""The targets, and how far a measurement may miss one before it counts as broken.

A shared machine is noisy, so a missed target is only shown. Only a ratio may fail a run, and only
far outside its target, where noise cannot explain it.
"""

from __future__ import annotations

from typing import NamedTuple

from .measure import Results


class Target(NamedTuple):
    """A number of one contender, divided by that of another one if `over` names one."""

    scenario: str
    number: str
    of: str
    over: str | None
    at_most: float
    fails_above: float | None = None
    unit: str = "x"

    @property
    def title(self) -> str:
        """The target in words."""
        over = f" / {self.over}" if self.over else ""
        return f"{self.scenario} {self.number}: {self.of}{over}"

    def measured(self, results: Results) -> float | None:
        """Return the measured value, None if one of the two was not measured."""
        value = results.median(self.scenario, self.of, self.number)
        if value is None or self.over is None:
            return value
        other = results.median(self.scenario, self.over, self.number)
        return value / other if other else None

    def broken(self, results: Results) -> bool:
        """Whether the margin is exceeded, or `of` could not be measured at all."""
        if (self.scenario, self.of) in results.failures:
            return True
        value = self.measured(results)
        return value is not None and self.fails_above is not None and value > self.fails_above


TARGETS = (
    *(
        target
        for scenario in ("complete-64", "complete-500")
        for target in (
            Target(scenario, "cpu", "flashlite-all", "aiohttp", 2.5, 6),
            Target(scenario, "cpu", "flashlite-all", "openai", 1 / 5, 0.6),
            Target(scenario, "cpu", "flashlite-all", "litellm", 1 / 10, 0.4),
        )
    ),
    Target("anthropic", "cpu", "flashlite", "litellm", 1 / 10, 0.4),
    Target("gemini", "cpu", "flashlite", "litellm", 1 / 10, 0.4),
    Target("stream", "cpu", "flashlite-all", "litellm", 1 / 10, 0.4),
    Target("burst", "cpu", "flashlite-all", "litellm", 1 / 10, 0.4),
    Target("memory-hit", "cpu", "flashlite", "aiohttp", 0.4, 1.2),
    Target("disk-hit", "cpu", "flashlite", "aiohttp", 0.9, 2.5),
    Target("provider", "added", "flashlite", "openai", 1 / 3, 0.8),
    Target("import", "wall", "flashlite", None, 40, None, "ms"),
    Target("import", "cpu", "flashlite", None, 40, None, "ms"),
    # The 500 waiters run in virtual time, so their counts have no noise.
    Target("waiters", "wakes", "flashlite", None, 1, 1.05),
    Target("waiters", "unused", "flashlite", None, 1, 2, "%"),
    Target("waiters", "fullest", "flashlite", None, 1, 1),
    Target("endurance", "change", "flashlite-all", None, 1.1, 2.5),
    Target("endurance", "memory", "flashlite-all", None, 1.02, 1.3),
    Target("disk-writes", "each", "flashlite", None, 200, None, "µs"),
    Target("disk-writes", "stall", "flashlite", None, 5, None, "ms"),
)
