"""A context variable that has a value for a block."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def holding(variable: ContextVar[T], value: T) -> Generator[None]:
    """Set a context variable for the block; tasks that start inside keep the value to their end.

    A block in a generator may be left by another task than entered it; in that task, the variable
    is set to its default.
    """
    token = variable.set(value)
    try:
        yield
    finally:
        try:
            variable.reset(token)
        except ValueError:
            variable.set(Context().run(variable.get))
