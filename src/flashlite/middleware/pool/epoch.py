"""The epoch of a room that is in a file; `epoch.lua` does the same in Redis.

It ends when the room holds less than somebody saw there: a file that was removed, or put back to
what it was a while ago.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from ...stores import State


class Epoch:
    """Since when a room has forgotten nothing, and how many exchanges there were in it."""

    def __init__(self, state: State, now: float) -> None:
        self._state = state
        self._now = now

    @property
    def name(self) -> str:
        """The name of the epoch, of a room that has begun one."""
        return str(self._state["epoch"])

    @property
    def count(self) -> int:
        """How many exchanges there were."""
        return int(self._state.get("count", 0))

    @property
    def born(self) -> float:
        """When the epoch began."""
        return float(self._state["born"])

    @property
    def closed(self) -> float:
        """Until when nobody is let in."""
        return float(self._state.get("closed", 0.0))

    def begin(self, seen: dict[str, Any]) -> bool:
        """Begin an epoch if the room is new, or has lost something; say whether it did."""
        known = self._state.get("epoch")
        if known is not None and not (seen["epoch"] == known and seen["count"] > self.count):
            return False
        self._state.update(epoch=token_hex(8), born=self._now)
        return True

    def close_until(self, moment: float) -> None:
        """Let nobody in before a moment."""
        self._state["closed"] = max(self.closed, moment)

    def advance(self) -> None:
        """Count an exchange."""
        self._state["count"] = self.count + 1
