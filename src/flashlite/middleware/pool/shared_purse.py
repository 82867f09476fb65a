"""A budget that a pool shares."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ConfigError, FlashliteError
from ..purse import UNIT, Reservation, refusal
from .pool import Pool, speaker
from .shared_line import SharedLine

Answer = Reservation | FlashliteError

_COARSE = 1000
"""A pool counts whole nano-dollars, rounded up; Redis's scripts are exact to 2⁵³ ($9,007,199)."""

DOLLAR = UNIT // _COARSE
"""The units of a pool per dollar."""


@dataclass(slots=True, eq=False)
class _SharedReservation(Reservation):
    """What a call may cost, and the desk that reports what it did cost."""

    desk: PurseDesk | None = None


class SharedPurse:
    """The budget that a `SharedLine` waits for; `spent` and `reserved` are last known totals."""

    def __init__(self, limit: int, pool: Pool) -> None:
        if limit > _COARSE * 2**53:
            raise ConfigError("the budget of a pool is at most $9,007,199")
        self.limit = limit
        self.spent = 0
        self.reserved = 0
        self._pool = pool
        self.line: SharedLine[int, Answer] = SharedLine(pool, self._desk, alone=None)

    def gone(self) -> int:
        """Return the amount spent, as last heard, which no running call can give back."""
        return self.spent

    def settle(self, reservation: Reservation, cost: int) -> None:
        """Count what a call cost; only the first call counts."""
        if isinstance(reservation, _SharedReservation) and reservation.desk is not None:
            reservation.desk.settle(reservation, cost)

    async def ask(self, said: dict[str, Any]) -> dict[str, Any]:
        """Run an exchange of this budget, and update the totals."""
        answer = await self._pool.ask("purse", {"limit": self.limit // _COARSE, **said})
        self.spent = int(answer["spent"]) * _COARSE
        self.reserved = int(answer["reserved"]) * _COARSE
        return answer

    def _desk(self, wake: Callable[[], None]) -> PurseDesk:
        return PurseDesk(self, wake)


class PurseDesk:
    """The connection of one event loop to a shared budget.

    It always reports the totals that its calls spent and reserved, so nothing is lost or counted
    twice when an answer does not arrive.
    """

    heartbeat = 5.0

    def __init__(self, purse: SharedPurse, wake: Callable[[], None]) -> None:
        self._purse = purse
        self._wake = wake
        self._line = secrets.token_hex(6)
        self._settled = deque[tuple[Reservation, int]]()  # from any thread
        self._running = set[Reservation]()
        self._reserved = 0
        self._spent = 0
        self._number = 0
        self._is_heard = True
        self._seen: dict[str, Any] = {"epoch": "", "count": 0, "spent": 0, "told": 0}

    def settle(self, reservation: Reservation, cost: int) -> None:
        """Record what a call cost; from any thread."""
        self._settled.append((reservation, cost))
        self._wake()

    def undo(self, grant: Answer) -> None:
        if isinstance(grant, Reservation):
            self.settle(grant, 0)

    def has_news(self) -> bool:
        return bool(self._settled) or not self._is_heard

    def is_busy(self) -> bool:
        """Return True once the pool has answered: living desks remember what all have spent."""
        return bool(self._seen["epoch"])

    async def exchange(self, asked: Sequence[int], *, waiting: int) -> tuple[list[Answer], float]:
        self._add_up()
        self._is_heard = False
        self._number += 1
        answer = await self._purse.ask(
            {
                "line": self._line,
                "who": speaker(),
                "number": self._number,
                "spent": self._spent,
                "reserved": self._reserved,
                "waiting": waiting,
                "heads": [_coarse(amount) for amount in asked],
                "seen": self._seen,
            }
        )
        self._is_heard = True
        self._seen = {
            "epoch": answer["epoch"],
            "count": answer["count"],
            "spent": int(answer["spent"]),
            "told": self._spent,
        }
        answers = zip(asked, answer["answers"], strict=False)
        return [self._answer(amount, letter) for amount, letter in answers], answer["wait"]

    def _add_up(self) -> None:
        while self._settled:
            reservation, cost = self._settled.popleft()
            if reservation in self._running:
                self._running.remove(reservation)
                self._reserved -= _coarse(reservation.amount)
                self._spent += _coarse(cost)

    def _answer(self, amount: int, letter: str) -> Answer:
        if letter == "n":
            return refusal(amount, limit=self._purse.limit, spent=self._purse.spent)
        reservation = _SharedReservation(amount, desk=self)
        self._running.add(reservation)
        self._reserved += _coarse(amount)
        return reservation


def _coarse(amount: int) -> int:
    return -(-amount // _COARSE)
