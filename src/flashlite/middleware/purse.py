"""The remainder of a budget: in memory, or in a file that outlives the process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf

from ..errors import BudgetExceededError, FlashliteError, StoreError
from ..types.dollars import dollars
from .spend_file import SpendFile

log = logging.getLogger("flashlite.budget")

UNIT = 10**12
"""Amounts are integers, with this many to a dollar: sums of floats have rounding errors."""


@dataclass(slots=True, eq=False)
class Reservation:
    """What one running call may cost; amounts are in 1/UNIT dollars."""

    amount: int
    line: str = ""


def refusal(
    amount: int, *, limit: int, spent: int, held: Sequence[int] = ()
) -> BudgetExceededError:
    """Return the error for a call that can never be paid for; amounts are in 1/UNIT dollars.

    `held` is the part of `spent` that other processes have reserved, one amount per call.
    """
    amounts = {"limit": limit / UNIT, "spent": spent / UNIT, "needed": amount / UNIT}
    known = dollars((spent - sum(held)) / UNIT)
    others = (
        f", {dollars(sum(held) / UNIT)} are held for calls of other processes ({len(held)}), which "
        "run or were killed and may be billed"
    )
    return BudgetExceededError(
        f"{known} of the budget of {dollars(amounts['limit'])} are spent{others if held else ''}, "
        f"and this call may cost up to {dollars(amounts['needed'])}; a smaller max_tokens lowers "
        "that",
        **amounts,
    )


class Purse:
    """A `Room` that gives a refusal to a call that can never be paid for."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self.reserved = 0
        self._running = set[Reservation]()

    def gone(self) -> int:
        """Return the amount spent, which no running call can give back."""
        return self.spent

    def held(self) -> Sequence[int]:
        """Return the part of `gone()` that other processes have reserved, one amount per call."""
        return ()

    def opens_at(self, amount: int, now: float) -> float:
        left = self.limit - self.gone() - amount
        return now if left < 0 or left >= self.reserved else inf

    def take(self, amount: int, now: float) -> Reservation | FlashliteError:
        if self.gone() + self.reserved + amount > self.limit:
            return refusal(amount, limit=self.limit, spent=self.gone(), held=self.held())
        self.reserved += amount
        reservation = Reservation(amount)
        self._running.add(reservation)
        return reservation

    def undo(self, grant: Reservation | FlashliteError) -> None:
        if isinstance(grant, Reservation):
            self.settle(grant, 0)

    def after_fork(self) -> None:
        self._running.clear()
        self.reserved = 0

    def settle(self, reservation: Reservation, cost: int) -> bool:
        """Count what a call cost; return False if it was settled before, or reserved elsewhere."""
        if reservation not in self._running:
            return False
        self._running.discard(reservation)
        self.reserved -= reservation.amount
        self.spent += cost
        return True


class FiledPurse(Purse):
    """A purse that records its reservations in a file, and counts those of other processes."""

    def __init__(self, limit: int, file: SpendFile) -> None:
        super().__init__(limit)
        self._file = file

    def gone(self) -> int:
        with suppress(OSError):  # `take` will report it
            self._file.refresh()
        return self.spent + self._file.others

    def held(self) -> Sequence[int]:
        return self._file.held

    def take(self, amount: int, now: float) -> Reservation | FlashliteError:
        taken: Reservation | FlashliteError | None = None
        try:
            with self._file.alone():
                taken = super().take(amount, now)
                if isinstance(taken, Reservation):
                    taken.line = self._file.reserve(amount)
        except OSError as error:  # returned, not raised: other callers are served in the same pass
            if isinstance(taken, Reservation):
                super().settle(taken, 0)
            return StoreError(f"the budget's file cannot be written, nothing was sent: {error}")
        return taken

    def after_fork(self) -> None:
        super().after_fork()
        self.spent = 0  # a child process reads from the file what was spent before the fork

    def settle(self, reservation: Reservation, cost: int) -> bool:
        if not super().settle(reservation, cost):
            return False
        try:
            self._file.spend(reservation.line, cost)
        except OSError as error:  # the file keeps the reservation, which is larger
            log.warning("the budget's file cannot be written, it counts too much: %s", error)
        return True
