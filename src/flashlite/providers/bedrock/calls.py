"""The calls of a stream that are none of ours: those of tools that AWS runs itself.

Only the event that starts a call says whose it is, and the pieces of it that follow do not; so the
events go through here first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...wire import SSEvent
from ..reading import NOT_AN_ANSWER, load_event
from .answers import is_ours


class OurCalls:
    """Leave out of one stream what belongs to AWS's own calls."""

    def __init__(self) -> None:
        self._theirs: set[Any] = set()  # indices of blocks

    def read(self, event: SSEvent) -> Iterator[SSEvent]:
        """Yield the event unless it is about a call of AWS's own."""
        is_start = event.event == "contentBlockStart"
        is_piece = event.event == "contentBlockDelta" and bool(self._theirs)
        if not (is_start or is_piece) or self._is_ours(event, is_start=is_start):
            yield event

    def _is_ours(self, event: SSEvent, *, is_start: bool) -> bool:
        told = load_event(event.data)
        try:
            place = told.get("contentBlockIndex", 0)
            if is_start and not is_ours((told.get("start") or {}).get("toolUse") or {}):
                self._theirs.add(place)
            return place not in self._theirs
        except NOT_AN_ANSWER:  # whoever reads it says what is wrong
            return True
