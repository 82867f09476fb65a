"""Context managers around the making of an answer, but not around the code of its reader."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Around: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Returns a context manager to ask models and run tools in; a stream needs one per piece."""


def inside(around: Around | None) -> AbstractContextManager[Any]:
    """Return the context manager for an answer that is not streamed."""
    return nullcontext() if around is None else around()


def within(around: Around | None, pieces: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Return the pieces of a stream, each made inside a new context."""
    return pieces if around is None else _within(around, pieces)


async def _within(around: Around, pieces: AsyncGenerator[T]) -> AsyncGenerator[T]:
    try:
        while True:
            with around():
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    return
            yield piece
    finally:
        with around():
            await pieces.aclose()
