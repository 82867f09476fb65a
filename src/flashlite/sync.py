"""Calling without `await`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, Final, TypeVar

from .loop_thread import LoopThread

T = TypeVar("T")

_THREAD = LoopThread("flashlite-sync")


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine on a loop thread that all synchronous calls share.

    Works from any thread and inside a running loop, which stands still for as long as it takes.
    """
    return _THREAD.run_sync(coroutine)


def iterate_sync(source: AsyncGenerator[T]) -> Generator[T]:
    """Read an async generator on that thread; it is closed when the reader leaves."""
    turn = asyncio.Lock()  # a step that was interrupted may still be ending when all is closed

    async def step() -> T | _End:
        async with turn:
            return await anext(source, _END)

    async def close() -> None:
        async with turn:
            await source.aclose()

    try:
        while not isinstance(item := run_sync(step()), _End):
            yield item
    finally:
        closing = _THREAD.submit(close())
        if not _THREAD.is_here():  # as it is where the loop collects what a reader dropped
            closing.result()


class _End:
    """What stands for the end of a generator."""


_END: Final = _End()
