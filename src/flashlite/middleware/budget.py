"""A limit in dollars that is never exceeded: reserve before a call is sent, settle after."""

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
    """A limit in dollars, shared by all clients and calls that use this object.

    A call that does not fit waits, first come first served, while running calls may still give
    something back, and fails unsent when they cannot. With a `file`, the spending outlives the
    process, and processes that name the same file share one budget. What another process has
    reserved counts as spent, and so does what a killed process had reserved, because it may be
    billed; set `max_tokens` to keep that amount small. With a `pool`, or its address, the processes
    may be on several machines: the pool has one budget, and `spent` and `reserved` show its state
    as last heard. A Redis pool should be persisted to disk; what a process had reserved counts as
    spent half a minute after it died. With `allow_unknown_prices`, calls without a known price pass
    uncounted.

    What a provider's own tools read is bounded by the model's context. Their fees per call are in
    no price, nor is a more expensive service tier that the server chose by itself.
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
        """Convert what a caller passed: a budget, dollars, or None for no limit."""
        return value if isinstance(value, Budget | None) else cls(value)

    @property
    def is_shared(self) -> bool:
        """Whether a pool shares this budget between processes."""
        return isinstance(self._purse, SharedPurse)

    @property
    def limit(self) -> float:
        """The limit in dollars."""
        return self._purse.limit / UNIT

    @property
    def spent(self) -> float:
        """The dollars spent by everybody who shares the budget."""
        return self._purse.gone() / UNIT

    @property
    def reserved(self) -> float:
        """The dollars that running calls may still cost."""
        return self._purse.reserved / UNIT

    async def reserve(self, dollars: float, *, priority: int = 0) -> Reservation:
        """Reserve an amount, waiting until it fits; raise BudgetExceededError if it never will."""
        answer = await self._line.enter(ceil(dollars * UNIT), priority=priority)
        if isinstance(answer, FlashliteError):
            raise answer
        return answer

    def settle(self, reservation: Reservation, dollars: float | None) -> None:
        """Count what a call cost (None: all that was reserved); only the first call counts."""
        cost = reservation.amount if dollars is None else ceil(dollars * UNIT)
        self._line.tell(partial(self._purse.settle, reservation, cost))

    async def aflush(self) -> None:
        """Return when the pool has received all pending updates, or is down."""
        if isinstance(self._line, SharedLine):
            await self._line.aflush()


class WithinBudget:
    """Send a call only when the budget covers the most that it may cost.

    The layer is next to the provider: every attempt is paid for, and a call that waits for anything
    else has nothing reserved. An answer is always returned, and settled at its true cost. A request
    whose cost stays unknown (a stream that was given up, a connection that broke, a call that was
    cancelled on the wire) counts with all that was reserved; a refused one counts nothing. With
    `batch`, requests are priced as in a provider's batch.
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
