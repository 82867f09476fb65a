"""A context variable that has a value for a block."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def holding(variable: ContextVar[T], value: T) -> Generator[None]:
    """Set a context variable during the block; tasks that begin inside keep the value to their end.

    A block in a generator may be left by another task than the one that entered it; there the
    variable gets its default.
    """
    token = variable.set(value)
    try:
        yield
    finally:
        try:
            variable.reset(token)
        except ValueError:
            variable.set(Context().run(variable.get))
