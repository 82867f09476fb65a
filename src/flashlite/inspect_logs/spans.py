"""Events of a sample, each in the span where it happened: its main part, or an agent's turn."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

from ..types.ids import new_id
from ..types.moments import timestamp
from .current import Place, at, current_place, places
from .plain import plain
from .transcript import Transcript


class Spans(ABC):
    """Takes events from any task or thread until it is over."""

    def __init__(
        self,
        transcript: Transcript,
        *,
        began: float | None,
        clock: Callable[[], float],
        secrets: tuple[str, ...],
    ) -> None:
        self.transcript, self.lock, self.is_over = transcript, threading.Lock(), False
        self._clock, self._secrets = clock, secrets
        self._began = clock() if began is None else began
        self._main = new_id()

    def inside(self) -> AbstractContextManager[None]:
        """Return a block whose calls and events belong to the sample."""
        return at(Place(self, self._main, outside=current_place()))

    def agent(self, name: str, *, description: str | None = None) -> AbstractContextManager[Self]:
        """Return a block for one agent's turn, whose events are on the agent's lane."""
        return self._span(plain(str(name)), description)

    @abstractmethod
    def _note(self) -> None:
        """Note that there is something new."""

    @contextmanager
    def _span(self, name: str, description: str | None) -> Generator[Self]:
        place, span = self._place(), new_id()
        parent = place.span if place is not None else self._main
        self._open_span(span, name, parent, "agent", description=description)
        try:
            with at(Place(self, span, name, outside=current_place())):
                yield self
        finally:
            self._close_span(span)

    def _open_span(
        self,
        id: str,
        name: str,
        parent: str | None,
        kind: str,
        *,
        description: str | None = None,
        began: float | None = None,
    ) -> None:
        event = {"event": "span_begin", "id": id, "name": name, "type": kind, "span_id": id}
        if parent is not None:
            event["parent_id"] = parent
        about = {"metadata": {"description": plain(description)}} if description else {}
        self._record({**event, **about}, began)

    def _close_span(self, id: str) -> None:
        self._record({"event": "span_end", "id": id, "span_id": id}, None)

    def _record(self, event: dict[str, Any], began: float | None) -> None:
        self._add({**self._here(began)[0], **event})

    def _add(self, event: Mapping[str, Any]) -> None:
        with self.lock:
            if not self.is_over:
                self.transcript.add(event, secrets=self._secrets)
        self._note()

    def _here(self, began: float | None) -> tuple[dict[str, Any], str | None]:
        """Return the fields of an event for its place and time, and the agent whose turn it is."""
        place, when = self._place(), self._clock() if began is None else began
        spot = {
            "uuid": new_id(),
            "span_id": place.span if place is not None else self._main,
            "timestamp": timestamp(when),
            "working_start": max(0.0, when - self._began),
        }
        return spot, place.agent if place is not None else None

    def _place(self) -> Place | None:
        """Return the current place in this sample, None outside its block."""
        return next((place for place in places() if place.sample is self), None)
