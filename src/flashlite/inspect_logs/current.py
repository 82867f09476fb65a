"""Where we are: the sample and the agent that what happens now belongs to."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..types.holding import holding


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a sample, whose turn it is there, and where it was entered from."""

    sample: object
    span: str
    agent: str | None = None
    outside: Place | None = None
    process: int = field(default_factory=os.getpid)


_place: ContextVar[Place | None] = ContextVar("flashlite_inspect_logs_place", default=None)


def current_place() -> Place | None:
    """Return where this task or thread is, None outside of all samples."""
    return next(places(), None)


def places() -> Iterator[Place]:
    """Yield where this task or thread is, and what is around it; a fork is nowhere.

    What a fork has of a sample is a copy that nobody will write.
    """
    place = _place.get()
    while place is not None and place.process == os.getpid():
        yield place
        place = place.outside


@contextmanager
def at(place: Place | None) -> Generator[None]:
    """Be somewhere for a while; tasks that begin meanwhile are there too, to their end."""
    with holding(_place, place):
        yield
