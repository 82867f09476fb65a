"""The epoch of a room that is in a file; `epoch.lua` does the same in Redis.

An epoch ends when the room holds less than some process saw in it: its file was removed, or
replaced by an older copy.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from ...stores import State


class Epoch:
    """The time since a room last lost data, and the number of exchanges in it."""

    def __init__(self, state: State, now: float) -> None:
        self._state = state
        self._now = now

    @property
    def name(self) -> str:
        """The name of the epoch; the room must have begun one."""
        return str(self._state["epoch"])

    @property
    def count(self) -> int:
        """The number of exchanges so far."""
        return int(self._state.get("count", 0))

    @property
    def born(self) -> float:
        """When the epoch began."""
        return float(self._state["born"])

    @property
    def closed(self) -> float:
        """The time until which nobody is let in."""
        return float(self._state.get("closed", 0.0))

    def begin(self, seen: dict[str, Any]) -> bool:
        """Begin an epoch if the room is new or has lost data; return whether it did."""
        known = self._state.get("epoch")
        if known is not None and not (seen["epoch"] == known and seen["count"] > self.count):
            return False
        self._state.update(epoch=token_hex(8), born=self._now)
        return True

    def close_until(self, moment: float) -> None:
        """Let nobody in before the given time."""
        self._state["closed"] = max(self.closed, moment)

    def advance(self) -> None:
        """Count an exchange."""
        self._state["count"] = self.count + 1
