"""Calling coroutines without `await`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, TypeVar

from .loop_thread import LoopThread

T = TypeVar("T")

_THREAD = LoopThread("flashlite-sync")


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop thread that all synchronous calls share, and return its result.

    Works from any thread and inside a running loop, which is blocked until the call is done.
    """
    return _THREAD.run_sync(coroutine)


def iterate_sync(source: AsyncGenerator[T]) -> Generator[T]:
    """Read an async generator on that thread; it is closed when the reader stops."""
    return _THREAD.iterate(source)
