"""Where we are: the sample and the agent that what happens now belongs to."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a sample, and whose turn it is there."""

    sample: object
    span: str
    agent: str | None = None


_place: ContextVar[Place | None] = ContextVar("flashlite_inspect_logs_place", default=None)


def current_place() -> Place | None:
    """Return where this task or thread is, None outside of all samples."""
    return _place.get()


@contextmanager
def at(place: Place) -> Generator[None]:
    """Be somewhere for a while; tasks that begin meanwhile are there too, to their end."""
    token = _place.set(place)
    try:
        yield
    finally:
        try:
            _place.reset(token)
        except ValueError:  # left by another task than the one that entered
            _place.set(None)
