"""Pools: the rate limits and the budget that models with the same account share.

Inspect makes a new model for each role and eval, and keeps others for the life of the process; so
pools belong to the process, and every model that names a pool is in it. A pool named by an address
is shared by all processes that name it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .. import env
from ..errors import ConfigError
from ..middleware import (
    Budget,
    Middleware,
    RateLimit,
    RateLimitConfig,
    WithinBudget,
    open_pool,
    stack,
)
from ..middleware import Pool as Place
from ..types import CompletionRequest, CompletionResponse, Handler, Target
from ._settings import Settings
from ._turn import in_turn

_POOLS: dict[str, Pool] = {}
_ORDER = ("auto_limits", "limits", "budget")  # no money is reserved while a call waits


def pool_named(said: str | None, *, account: str) -> Pool:
    """Return the process's pool of this name, or of the account if no name is given."""
    name = said or account
    if name not in _POOLS:
        _POOLS[name] = Pool(name, place=_place(said) if said else None)
    return _POOLS[name]


def _place(name: str) -> Place | None:
    """Return the place that processes share for a pool, None if it is this process's own.

    Inspect logs the values of `-M`, so an address with a password has to come from the environment.
    """
    kind, _, variable = name.partition(":")
    address = env.get(variable) if kind == "env" else name
    if address is None:
        raise ConfigError(f"-M pool={name}: there is no {variable} in the environment")
    if "://" not in address and kind != "sqlite" and not address.endswith(".db"):
        return None
    if address is name and "@" in address:
        raise ConfigError(
            "-M pool=...: a password would be in the log. Put the address into the environment, "
            "and say -M pool=env:NAME_OF_THE_VARIABLE"
        )
    address, _, name = address.partition("#")
    return open_pool(address, name=name or "default")


class Pool:
    """The limits of some models: a layer that each of them has above its provider.

    Requests, tokens and dollars of all members count together, and with a `place` those of all
    processes that share it. Limits learned from a server's headers hold for one model.
    """

    def __init__(
        self,
        name: str,
        *,
        place: Place | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._place = place
        self._clock = clock
        self._said: dict[str, Any] = {}
        self._layers: dict[str, Middleware] = {}

    def join(self, settings: Settings, target: Callable[[CompletionRequest], Target]) -> None:
        """Add a model with its limits; raises ConfigError if they contradict the pool's."""
        if settings.rpm is not None or settings.tpm is not None:
            config = RateLimitConfig(
                requests_per_minute=settings.rpm, tokens_per_minute=settings.tpm
            )
            # A place's address may hold secrets, and differ between the processes that share it.
            whose = self.name if self._place is None else "all models"
            together = Target(provider="pool", dialect="", model=whose)
            self._add(
                "limits",
                f"rpm={settings.rpm}, tpm={settings.tpm}",
                lambda: RateLimit(
                    config, pool=self._place, target=lambda _: together, clock=self._clock
                ),
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
            self._add(
                "budget",
                said,
                lambda: WithinBudget(Budget(limit, file=file, pool=self._place), target=target),
            )
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
        if not layers:
            return await call_next(request)
        return await stack([in_turn, *layers], call_next)(request)

    async def spend(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        """Enforce the budget only: a layer for requests that go to batch APIs."""
        budget = self._layers.get("budget")
        return await (call_next(request) if budget is None else budget(request, call_next))
