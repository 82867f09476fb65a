"""The sample and the agent that the current task or thread is in."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..types.holding import holding


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a sample, the agent whose turn it is, and the place it was entered from."""

    sample: object
    span: str
    agent: str | None = None
    outside: Place | None = None
    process: int = field(default_factory=os.getpid)


_place: ContextVar[Place | None] = ContextVar("flashlite_inspect_logs_place", default=None)


def current_place() -> Place | None:
    """Return the place of this task or thread, None outside all samples."""
    return next(places(), None)


def places() -> Iterator[Place]:
    """Yield the place of this task or thread and those around it, innermost first.

    A forked process has none, because its copy of a sample is never written.
    """
    place = _place.get()
    while place is not None and place.process == os.getpid():
        yield place
        place = place.outside


@contextmanager
def at(place: Place | None) -> Generator[None]:
    """Set the current place during the block; tasks that begin inside keep it to their end."""
    with holding(_place, place):
        yield
