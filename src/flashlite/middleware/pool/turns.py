"""The taking of turns, for a room that is in a file; `turns.lua` does the same in Redis.

Who waits has a ticket, and only the first is let in. A ticket of a process that says nothing more
is void after LEASE seconds. A line is one event loop of one process.
"""

from __future__ import annotations

from typing import Any

from ...stores import State

LEASE = 3.0
NEXT = 0.005  # seconds after which the next in the queue sees that it is its turn
PATIENCE = 0.25  # seconds until one looks whether others have given something back
FORGOTTEN = 180.0  # seconds after which a line that says nothing is not listed any more


class Turns:
    """The queue of a room, and all who spoke there lately."""

    def __init__(self, state: State, now: float) -> None:
        self._queue: list[list[Any]] = state.setdefault("queue", [])  # line, void from, amount
        self._lines: dict[str, list[Any]] = state.setdefault("lines", {})
        self._now = now

    def first(self) -> tuple[str, Any] | None:
        """Return the line whose turn it is, and what its first caller asks for."""
        while self._queue:
            line, void, amount = self._queue[0]
            if void > self._now:
                return line, amount
            del self._queue[0]
        return None

    def others(self, line: str) -> int:
        """Return how many other lines wait."""
        return sum(other != line for other, _, _ in self._queue)

    def wait(self, line: str, amount: Any, *, at_end: bool) -> None:
        """Take a ticket for the next caller: at the end, or where one's own has been."""
        place = self._place(line)
        if place is not None and at_end:
            del self._queue[place]
            place = None
        if place is None:
            self._queue.append([line, 0.0, amount])
            place = -1
        self._queue[place][1:] = [self._now + LEASE, amount]

    def leave(self, line: str) -> None:
        """Give one's ticket back."""
        place = self._place(line)
        if place is not None:
            del self._queue[place]

    def pause(self, line: str, opens: float) -> float:
        """Return the seconds until a line is to ask again, when the first fits at a moment."""
        rank = self._place(line) or 0
        until_open = max(0.0, opens - self._now)
        return min(until_open + NEXT * max(rank, 0.2), PATIENCE * (1 + rank / 4), LEASE / 3)

    def enlist(
        self, line: str, waiting: int, who: tuple[str, int, str], *, told: Any = None
    ) -> None:
        """Note who speaks, how many wait with it, and what it told that is to be remembered."""
        if line not in self._lines:
            self.everybody()
        self._lines[line] = [self._now, waiting, who, told]

    def told_by(self, line: str) -> Any:
        """Return what a line told last, None if it is not known."""
        return self._lines[line][3] if line in self._lines else None

    def everybody(self) -> list[list[Any]]:
        """Return line, seconds since it spoke, how many wait, machine, process and program."""
        for line in [one for one, spoke in self._lines.items() if self._age(spoke) >= FORGOTTEN]:
            del self._lines[line]
        return [
            [line, self._age(spoke), spoke[1], *spoke[2]] for line, spoke in self._lines.items()
        ]

    def _age(self, spoke: list[Any]) -> float:
        return self._now - float(spoke[0])

    def _place(self, line: str) -> int | None:
        return next((number for number, one in enumerate(self._queue) if one[0] == line), None)
