"""Turn taking for a room in a file; `turns.lua` does the same in Redis.

Each waiting line has a ticket, and only the first is let in. The ticket of a silent process is void
after LEASE seconds. A line is one event loop of one process.
"""

from __future__ import annotations

from typing import Any

from ...stores import State

LEASE = 3.0
NEXT = 0.005  # seconds until the next in the queue sees that it is its turn
PATIENCE = 0.25  # seconds between checks whether others have given something back
FORGOTTEN = 180.0  # seconds after which a silent line is no longer listed


class Turns:
    """The queue of a room, and the lines that were recently active in it."""

    def __init__(self, state: State, now: float) -> None:
        self._queue: list[list[Any]] = state.setdefault("queue", [])  # line, expiry, amount
        self._lines: dict[str, list[Any]] = state.setdefault("lines", {})
        self._now = now

    def first(self) -> tuple[str, Any] | None:
        """Return the line whose turn it is and the amount its first caller asks for."""
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
        """Take a ticket for the line's next caller: at the end, or in its present place."""
        place = self._place(line)
        if place is not None and at_end:
            del self._queue[place]
            place = None
        if place is None:
            self._queue.append([line, 0.0, amount])
            place = -1
        self._queue[place][1:] = [self._now + LEASE, amount]

    def leave(self, line: str) -> None:
        """Give the line's ticket back."""
        place = self._place(line)
        if place is not None:
            del self._queue[place]

    def pause(self, line: str, opens: float) -> float:
        """Return the seconds until a line should ask again; `opens` is when the first will fit."""
        rank = self._place(line) or 0
        until_open = max(0.0, opens - self._now)
        return min(until_open + NEXT * max(rank, 0.2), PATIENCE * (1 + rank / 4), LEASE / 3)

    def enlist(
        self, line: str, waiting: int, who: tuple[str, int, str], *, told: Any = None
    ) -> None:
        """Record a line, its process, its waiting calls, and the report to remember."""
        if line not in self._lines:
            self.everybody()
        self._lines[line] = [self._now, waiting, who, told]

    def told_by(self, line: str) -> Any:
        """Return a line's last report, or None if it is unknown."""
        return self._lines[line][3] if line in self._lines else None

    def everybody(self) -> list[list[Any]]:
        """Return for each line: name, seconds silent, waiting calls, machine, process, program."""
        for line in [one for one, spoke in self._lines.items() if self._age(spoke) >= FORGOTTEN]:
            del self._lines[line]
        return [
            [line, self._age(spoke), spoke[1], *spoke[2]] for line, spoke in self._lines.items()
        ]

    def _age(self, spoke: list[Any]) -> float:
        return self._now - float(spoke[0])

    def _place(self, line: str) -> int | None:
        return next((number for number, one in enumerate(self._queue) if one[0] == line), None)
