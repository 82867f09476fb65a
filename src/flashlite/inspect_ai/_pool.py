"""What models share that use one account: the minute, and the money.

Inspect makes a model anew for each role and eval, and keeps others for the life of the process; so
pools belong to the process, and everybody who names one is in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError
from ..middleware import Budget, Middleware, RateLimit, RateLimitConfig, WithinBudget, stack
from ..types import CompletionRequest, CompletionResponse, Handler, Target
from ._settings import Settings

_POOLS: dict[str, Pool] = {}
_ORDER = ("auto_limits", "limits", "budget")  # what waits for anything has no money reserved


def pool_named(name: str) -> Pool:
    """Return the pool of this name, the same one to everybody in the process."""
    return _POOLS.setdefault(name, Pool(name))


class Pool:
    """The limits of some models: a layer that each of them has above its provider.

    Requests and tokens of all members count together; limits that are learned from a server's
    headers are those of one model.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._clock = clock
        self._said: dict[str, Any] = {}
        self._layers: dict[str, Middleware] = {}

    def join(self, settings: Settings, target: Callable[[CompletionRequest], Target]) -> None:
        """Let a model in, with the limits that it says; raises ConfigError for contrary ones."""
        if settings.rpm is not None or settings.tpm is not None:
            config = RateLimitConfig(
                requests_per_minute=settings.rpm, tokens_per_minute=settings.tpm
            )
            together = Target(provider="pool", dialect="", model=self.name)
            self._add(
                "limits",
                f"rpm={settings.rpm}, tpm={settings.tpm}",
                lambda: RateLimit(config, target=lambda _: together, clock=self._clock),
            )
        if settings.auto_limits:
            learned = RateLimitConfig(auto_detect=True)
            self._add(
                "auto_limits",
                "auto_limits=True",
                lambda: RateLimit(learned, target=target, clock=self._clock),
            )
        if settings.budget is not None:
            limit, file = settings.budget, settings.budget_file
            said = f"budget={limit}" + (f", budget_file={file}" if file else "")
            self._add("budget", said, lambda: WithinBudget(Budget(limit, file=file), target=target))
        elif settings.budget_file is not None:
            raise ConfigError("-M budget_file keeps count of a budget: say -M budget=... too")

    def _add(self, kind: str, said: str, make: Callable[[], Middleware]) -> None:
        known = self._said.setdefault(kind, said)
        if known != said:
            raise ConfigError(
                f"{said} for one model, and {known} for another of the same pool: say the same, "
                "or give them different pools with -M pool=<name>"
            )
        if kind not in self._layers:
            self._layers[kind] = make()

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        layers = [self._layers[kind] for kind in _ORDER if kind in self._layers]
        return await stack(layers, call_next)(request)
