"""A limit in dollars that is never passed: reserve before a call is sent, settle after."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil, inf

from ..errors import BudgetExceededError, ConfigError, FlashliteError, StoreError
from ..types import CompletionRequest, CompletionResponse, Handler, Target
from .aim import aimed
from .spend_file import SpendFile
from .waiting import WaitingLine
from .worst_case import worst_case

log = logging.getLogger("flashlite.budget")

_UNIT = 10**12  # amounts are whole numbers of this part of a dollar: sums of fractions leave dust


class Budget:
    """Dollars that may be spent, by everybody who holds this object.

    A call that does not fit waits, first come first served, while running calls may give something
    back, and fails unsent when they cannot. With a `file`, what was spent outlives the process, and
    processes that name the same file share one budget: what another one has reserved counts as
    spent. With `allow_unknown_prices`, calls whose price nobody knows pass by and are not counted.
    """

    def __init__(
        self,
        limit: float,
        *,
        file: str | os.PathLike[str] | None = None,
        allow_unknown_prices: bool = False,
    ) -> None:
        if not isinstance(limit, int | float) or not 0 <= limit < float("inf"):
            raise ConfigError(f"a budget is a number of dollars; got {limit!r:.80}")
        self.allow_unknown_prices = allow_unknown_prices
        amount = int(limit * _UNIT)
        self._purse = _Purse(amount) if file is None else _FiledPurse(amount, SpendFile(file))
        self._line = WaitingLine(self._purse, clock=time.monotonic)

    @classmethod
    def of(cls, value: float | Budget | None) -> Budget | None:
        """Read what a caller passed: a budget, dollars, or None for no limit."""
        return value if isinstance(value, Budget | None) else cls(value)

    @property
    def limit(self) -> float:
        return self._purse.limit / _UNIT

    @property
    def spent(self) -> float:
        """What is gone, by whoever shares the budget."""
        return self._purse.gone() / _UNIT

    @property
    def reserved(self) -> float:
        """What running calls may still cost."""
        return self._purse.reserved / _UNIT

    async def reserve(self, dollars: float, *, priority: int = 0) -> Reservation:
        """Wait until the amount fits; raises BudgetExceededError when it never will."""
        answer = await self._line.enter(ceil(dollars * _UNIT), priority=priority)
        if isinstance(answer, FlashliteError):
            raise answer
        return answer

    def settle(self, reservation: Reservation, dollars: float | None) -> None:
        """Count what a call cost, None for all that was reserved; only the first time counts."""
        cost = reservation.amount if dollars is None else ceil(dollars * _UNIT)
        self._line.tell(partial(self._purse.settle, reservation, cost))


@dataclass(slots=True, eq=False)
class Reservation:
    """What one running call may cost, in parts of a dollar."""

    amount: int
    line: str = ""


class _Purse:
    """The room of a line in which whoever can never be paid for gets a refusal instead."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self.reserved = 0
        self._running = set[Reservation]()

    def gone(self) -> int:
        """Return what no running call can give back any more."""
        return self.spent

    def opens_at(self, amount: int, now: float) -> float:
        left = self.limit - self.gone() - amount
        return now if left < 0 or left >= self.reserved else inf

    def take(self, amount: int, now: float) -> Reservation | FlashliteError:
        if self.gone() + self.reserved + amount > self.limit:
            return self._refusal(amount / _UNIT)
        self.reserved += amount
        reservation = Reservation(amount)
        self._running.add(reservation)
        return reservation

    def undo(self, grant: Reservation | FlashliteError) -> None:
        if isinstance(grant, Reservation):
            self.settle(grant, 0)

    def forget(self) -> None:
        self._running.clear()
        self.reserved = 0

    def settle(self, reservation: Reservation, cost: int) -> bool:
        """Count what a call did cost; False for one that was settled before, or not here."""
        if reservation not in self._running:
            return False
        self._running.discard(reservation)
        self.reserved -= reservation.amount
        self.spent += cost
        return True

    def _refusal(self, needed: float) -> BudgetExceededError:
        limit, spent = self.limit / _UNIT, self.gone() / _UNIT
        return BudgetExceededError(
            f"${spent:.4f} of the budget of ${limit:.2f} are spent, and this call may cost up to "
            f"${needed:.4f}; a smaller max_tokens lowers that",
            limit=limit,
            spent=spent,
            needed=needed,
        )


class _FiledPurse(_Purse):
    """A purse that writes down what it gives, and counts what others took out of it."""

    def __init__(self, limit: int, file: SpendFile) -> None:
        super().__init__(limit)
        self._file = file

    def gone(self) -> int:
        with suppress(OSError):  # who wants to take something will hear of it
            self._file.refresh()
        return self.spent + self._file.others

    def take(self, amount: int, now: float) -> Reservation | FlashliteError:
        taken: Reservation | FlashliteError | None = None
        try:
            with self._file.alone():
                taken = super().take(amount, now)
                if isinstance(taken, Reservation):
                    taken.line = self._file.reserve(amount)
        except OSError as error:  # given to who asked: others are served in the same moment
            if isinstance(taken, Reservation):
                super().settle(taken, 0)
            return StoreError(f"the budget's file cannot be written, nothing was sent: {error}")
        return taken

    def forget(self) -> None:
        super().forget()
        self.spent = 0  # a child reads in the file what was spent before it was born

    def settle(self, reservation: Reservation, cost: int) -> bool:
        if not super().settle(reservation, cost):
            return False
        try:
            self._file.spend(reservation.line, cost)
        except OSError as error:  # the file keeps the reservation, which is more
            log.warning("the budget's file cannot be written, it counts too much: %s", error)
        return True


class WithinBudget:
    """Send a call only when the budget can pay for the worst that it may cost.

    It stands next to the provider: every attempt is paid for, and what waits for anything else has
    nothing reserved. What comes back is always returned, and settled at its true cost. A request
    whose cost stays unknown (a stream that was given up, a connection that broke, a call that was
    cancelled on the wire) counts with all that was reserved; a refused one with nothing.
    """

    def __init__(
        self, budget: Budget, *, target: Callable[[CompletionRequest], Target] = aimed
    ) -> None:
        self._budget = budget
        self._target = target

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        worst = worst_case(request, self._target(request))
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
