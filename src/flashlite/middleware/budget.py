"""A limit in dollars that is never passed: reserve before a call is sent, settle after."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from ..errors import BudgetExceededError, CompletionError, ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler, Target
from .worst_case import worst_case

_UNIT = 10**12  # amounts are whole numbers of this part of a dollar: sums of fractions leave dust


class Budget:
    """Dollars that may be spent, by everybody who holds this object.

    A call that does not fit waits, first come first served, while running calls may give something
    back, and fails unsent when they cannot. With `allow_unknown_prices`, calls whose price nobody
    knows pass by and are not counted.
    """

    def __init__(self, limit: float, *, allow_unknown_prices: bool = False) -> None:
        if not isinstance(limit, int | float) or not 0 <= limit < float("inf"):
            raise ConfigError(f"a budget is a number of dollars; got {limit!r:.80}")
        self.allow_unknown_prices = allow_unknown_prices
        self._limit = int(limit * _UNIT)
        self._spent = 0
        self._reserved = 0
        self._lock = threading.Lock()  # held for arithmetic, never while waiting
        self._waiting: deque[_Waiter] = deque()

    @classmethod
    def of(cls, value: float | Budget | None) -> Budget | None:
        """Read what a caller passed: a budget, dollars, or None for no limit."""
        return value if isinstance(value, Budget | None) else cls(value)

    @property
    def limit(self) -> float:
        return self._limit / _UNIT

    @property
    def spent(self) -> float:
        return self._spent / _UNIT

    @property
    def reserved(self) -> float:
        """What running calls may still cost."""
        return self._reserved / _UNIT

    async def reserve(self, dollars: float) -> Reservation:
        """Wait until the amount fits; raises BudgetExceededError when it never will."""
        amount = ceil(dollars * _UNIT)
        with self._lock:
            if not self._waiting and self._fits(amount):
                return self._grant(amount)
            if not self._can_ever_fit(amount):
                raise self._refusal(amount)
            waiter = _Waiter(amount, asyncio.get_running_loop().create_future())
            self._waiting.append(waiter)
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def settle(self, reservation: Reservation, dollars: float | None) -> None:
        """Count what a call cost, None for all that was reserved; only the first time counts."""
        with self._lock:
            if reservation.is_settled:
                return
            reservation.is_settled = True
            self._reserved -= reservation.amount
            self._spent += reservation.amount if dollars is None else ceil(dollars * _UNIT)
            self._advance()

    def _fits(self, amount: int) -> bool:
        return self._spent + self._reserved + amount <= self._limit

    def _can_ever_fit(self, amount: int) -> bool:
        return self._spent + amount <= self._limit

    def _grant(self, amount: int) -> Reservation:
        self._reserved += amount
        return Reservation(amount)

    def _refusal(self, amount: int) -> BudgetExceededError:
        needed = amount / _UNIT
        return BudgetExceededError(
            f"${self.spent:.4f} of the budget of ${self.limit:.2f} are spent, and this call may "
            f"cost up to ${needed:.4f}; a smaller max_tokens lowers that",
            limit=self.limit,
            spent=self.spent,
            needed=needed,
        )

    def _advance(self) -> None:
        """Answer waiting calls from the front, until one has to go on waiting."""
        while self._waiting:
            waiter = self._waiting[0]
            if self._fits(waiter.amount):
                waiter.reservation = self._grant(waiter.amount)
            elif self._can_ever_fit(waiter.amount):
                return
            waiter.wake(waiter.reservation or self._refusal(waiter.amount))
            self._waiting.popleft()

    def _withdraw(self, waiter: _Waiter) -> None:
        """Forget a waiter, or give back what it was granted in the moment it gave up."""
        with self._lock:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                self._advance()
        if waiter.reservation is not None:
            self.settle(waiter.reservation, 0.0)


@dataclass(slots=True, eq=False)
class Reservation:
    """What one running call may cost, in parts of a dollar."""

    amount: int
    is_settled: bool = False


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that waits for its turn, perhaps in another loop than those it waits for."""

    amount: int
    answer: asyncio.Future[Reservation]
    reservation: Reservation | None = None

    def wake(self, answer: Reservation | BudgetExceededError) -> None:
        self.answer.get_loop().call_soon_threadsafe(self._give, answer)

    def _give(self, answer: Reservation | BudgetExceededError) -> None:
        if self.answer.done():
            return
        if isinstance(answer, Reservation):
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(answer)


class WithinBudget:
    """Send a call only when the budget can pay for the worst that it may cost.

    What comes back is always returned, and settled at its true cost. A call whose cost stays
    unknown (a stream that was given up, a connection that broke) counts with all that was
    reserved; a refused or cancelled one with nothing.
    """

    def __init__(self, budget: Budget, *, target: Callable[[CompletionRequest], Target]) -> None:
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
        reservation = await self._budget.reserve(worst)
        try:
            response = await call_next(request)
        except BaseException as error:
            may_be_billed = isinstance(error, CompletionError) and error.may_be_billed
            self._budget.settle(reservation, None if may_be_billed else 0.0)
            raise
        await response.on_complete(lambda whole: self._budget.settle(reservation, whole.cost))
        return response
