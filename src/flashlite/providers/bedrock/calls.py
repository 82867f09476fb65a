"""Filtering calls of tools that AWS runs itself out of a stream.

Only the event that starts a call shows whose tool it is, and its later pieces do not, so all events
pass through here first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...wire import SSEvent
from ..reading import NOT_AN_ANSWER, load_event
from .answers import is_ours


class OurCalls:
    """Removes the events of AWS's own calls from one stream."""

    def __init__(self) -> None:
        self._theirs: set[Any] = set()  # block indices

    def read(self, event: SSEvent) -> Iterator[SSEvent]:
        """Yield the event unless it belongs to a call of AWS's own tools."""
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
        except NOT_AN_ANSWER:  # the reader of the event reports the error
            return True
