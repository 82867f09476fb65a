"""An event loop in a thread of its own that lives as long as the process."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from .errors import ConfigError

T = TypeVar("T")


class LoopThread:
    """Run coroutines on a long-lived loop, from any thread and from inside any other loop.

    The thread starts with the first call, and again in a forked child. It is a daemon: nothing
    that runs on it keeps a process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._life: _Life | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._living().loop)

    def run_sync(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Block this thread until the result is there; an interrupt cancels the coroutine."""
        if threading.current_thread() is self._living().thread:
            coroutine.close()
            raise ConfigError("a loop cannot wait for itself: await this call")
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await the result in the caller's loop; cancellation is passed on."""
        return await asyncio.wrap_future(self.submit(coroutine))

    def iterate(self, source: AsyncGenerator[T]) -> Generator[T]:
        """Read an async generator step by step; it is closed when the reader stops."""
        turn = asyncio.Lock()  # an interrupted step may still be ending when it is closed

        async def step() -> T | _End:
            async with turn:
                return await anext(source, _End())

        async def close() -> None:
            async with turn:
                await source.aclose()

        life = self._living()
        try:
            while not isinstance(item := self.run_sync(step()), _End):
                yield item
        finally:
            if life is self._life and life.pid == os.getpid():  # otherwise its loop has closed it
                closing = self.submit(close())
                # The loop's own thread, collecting a dropped generator as garbage, cannot wait.
                if threading.current_thread() is not life.thread:
                    closing.result()

    def stop(self) -> None:
        """End the loop as `asyncio.run` does: cancel its tasks and close its generators."""
        with self._lock:
            life, self._life = self._life, None
        if life is not None and life.pid == os.getpid():
            atexit.unregister(self.stop)
            life.loop.call_soon_threadsafe(life.end.set)
            life.thread.join(timeout=2)

    def _living(self) -> _Life:
        with self._lock:
            if self._life is None or self._life.pid != os.getpid():
                self._life = self._begin()
                atexit.register(self.stop)
            return self._life

    def _begin(self) -> _Life:
        loop, end = asyncio.new_event_loop(), asyncio.Event()
        thread = threading.Thread(target=_live, args=(loop, end), name=self._name, daemon=True)
        thread.start()
        return _Life(os.getpid(), thread, loop, end)


class _End:
    """Marks the end of a generator."""


class _Life(NamedTuple):
    """A running loop, its thread and the event that ends it."""

    pid: int
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop
    end: asyncio.Event


def _live(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    """Run the loop until its end, then do what `asyncio.run` does."""
    with asyncio.Runner(loop_factory=lambda: loop):
        life = loop.create_task(end.wait())
        while not life.done():
            # A coroutine that exits stops the loop too; it is started again for the others.
            with suppress(KeyboardInterrupt, SystemExit):
                loop.run_until_complete(life)
