"""A loop in which waiting takes no time: when all wait, the clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still while anybody runs; it begins at `start`."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now

    def jump(self) -> None:
        """Go to the next timer."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        self.now = max(self.now, scheduled[0].when())


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # no timer: only another thread can go on
            ready = super().select(10)
            assert ready, "everybody waits, and nobody will ever wake them"
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self._loop.jump()
        return ready


def run(coroutine: Coroutine[Any, Any, T], *, start: float = 0.0) -> T:
    """Run a coroutine as `asyncio.run` does, in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        return runner.run(coroutine)


def now() -> float:
    """Return the time of the running loop."""
    return asyncio.get_running_loop().time()


def virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make an async test one that runs in virtual time."""

    @wraps(test)
    def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return timed
