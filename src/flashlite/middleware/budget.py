"""A limit in dollars that is never passed: reserve before a call is sent, settle after."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path

from ..errors import ConfigError, FlashliteError
from ..types import CompletionRequest, CompletionResponse, Handler, Target
from .aim import aimed
from .pool import Pool, SharedLine, SharedPurse, open_pool
from .purse import UNIT, FiledPurse, Purse, Reservation
from .spend_file import SpendFile
from .waiting import WaitingLine
from .worst_case import worst_case

_Answer = Reservation | FlashliteError


class Budget:
    """Dollars that may be spent, by everybody who holds this object.

    A call that does not fit waits, first come first served, while running calls may give something
    back, and fails unsent when they cannot. With a `file`, what was spent outlives the process, and
    processes that name the same file share one budget: what another one has reserved counts as
    spent, and what a killed one had reserved too, for it may be billed: `max_tokens` bounds that.
    With a `pool`, or its address, they may be on several machines: it has one budget, of
    which `spent` and `reserved` say what was last heard; a Redis should keep it on disk; what a
    process had reserved counts as spent half a minute after it died. With `allow_unknown_prices`,
    calls whose price nobody knows pass by and are not counted.

    What tools that a provider runs itself read is bounded by the context of the model; their fees
    by the call are in no price, and neither is a dearer tier that a server chose by itself.
    """

    def __init__(
        self,
        limit: float,
        *,
        file: str | os.PathLike[str] | None = None,
        pool: Pool | str | Path | None = None,
        allow_unknown_prices: bool = False,
    ) -> None:
        if not isinstance(limit, int | float) or not 0 <= limit < float("inf"):
            raise ConfigError(f"a budget is a number of dollars; got {limit!r:.80}")
        self.allow_unknown_prices = allow_unknown_prices
        amount = int(limit * UNIT)
        self._purse: Purse | SharedPurse
        self._line: WaitingLine[int, _Answer] | SharedLine[int, _Answer]
        if pool is not None:
            if file is not None:
                raise ConfigError("a budget is in a file or in a pool: pass one of them")
            self._purse = SharedPurse(amount, open_pool(pool))
            self._line = self._purse.line
        else:
            self._purse = Purse(amount) if file is None else FiledPurse(amount, SpendFile(file))
            self._line = WaitingLine(self._purse, clock=time.monotonic)

    @classmethod
    def of(cls, value: float | Budget | None) -> Budget | None:
        """Read what a caller passed: a budget, dollars, or None for no limit."""
        return value if isinstance(value, Budget | None) else cls(value)

    @property
    def is_shared(self) -> bool:
        """Whether processes that make this budget anew have it together."""
        return isinstance(self._purse, SharedPurse)

    @property
    def limit(self) -> float:
        return self._purse.limit / UNIT

    @property
    def spent(self) -> float:
        """What is gone, by whoever shares the budget."""
        return self._purse.gone() / UNIT

    @property
    def reserved(self) -> float:
        """What running calls may still cost."""
        return self._purse.reserved / UNIT

    async def reserve(self, dollars: float, *, priority: int = 0) -> Reservation:
        """Wait until the amount fits; raises BudgetExceededError when it never will."""
        answer = await self._line.enter(ceil(dollars * UNIT), priority=priority)
        if isinstance(answer, FlashliteError):
            raise answer
        return answer

    def settle(self, reservation: Reservation, dollars: float | None) -> None:
        """Count what a call cost, None for all that was reserved; only the first time counts."""
        cost = reservation.amount if dollars is None else ceil(dollars * UNIT)
        self._line.tell(partial(self._purse.settle, reservation, cost))

    async def aflush(self) -> None:
        """Return when a pool has heard what there is to tell, or is down."""
        if isinstance(self._line, SharedLine):
            await self._line.aflush()


class WithinBudget:
    """Send a call only when the budget can pay for the worst that it may cost.

    It stands next to the provider: every attempt is paid for, and what waits for anything else has
    nothing reserved. What comes back is always returned, and settled at its true cost. A request
    whose cost stays unknown (a stream that was given up, a connection that broke, a call that was
    cancelled on the wire) counts with all that was reserved; a refused one with nothing. With
    `batch`, requests cost what they do in a provider's batch.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        target: Callable[[CompletionRequest], Target] = aimed,
        batch: bool = False,
    ) -> None:
        self._budget = budget
        self._target = target
        self._batch = batch

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        worst = worst_case(request, self._target(request), batch=self._batch)
        if worst is None:
            if self._budget.allow_unknown_prices:
                return await call_next(request)
            raise ConfigError(
                f"a budget needs the price of {request.model}, which is not known: tell it with "
                "register_model(..., prices=...), or use Budget(..., allow_unknown_prices=True)"
            )
        reservation = await self._budget.reserve(worst, priority=request.priority)
        try:
            response = await call_next(request)
        except BaseException as error:
            is_free = isinstance(error, ConfigError) or not getattr(error, "may_be_billed", True)
            self._budget.settle(reservation, 0.0 if is_free else None)
            raise
        await response.on_complete(lambda whole: self._budget.settle(reservation, whole.cost))
        return response
