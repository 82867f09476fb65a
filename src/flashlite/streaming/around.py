"""What is around an answer while it is made, and not while its reader has the word."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Around: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Returns a context in which models are asked and tools run; of a stream, one for each piece."""


def inside(around: Around | None) -> AbstractContextManager[Any]:
    """Return the context for an answer that comes whole."""
    return nullcontext() if around is None else around()


def within(around: Around | None, pieces: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Return the pieces, each of them made inside of the context."""
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
