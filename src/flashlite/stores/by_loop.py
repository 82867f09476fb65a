"""Resources, such as connections, that belong to one event loop and are opened once for each.

`asyncio.run` closes every asynchronous generator that is still open when its loop ends, and waits
for it. So a generator holds the resource, and this module holds the generator.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class ByLoop(Generic[T]):
    """A resource that is opened at its first use on each loop, and closed with the loop.

    `live` yields it once, and closes it afterwards.
    """

    def __init__(self, live: Callable[[], AsyncGenerator[T]]) -> None:
        self._live = live
        self._lives: dict[asyncio.AbstractEventLoop, _Life[T]] = {}

    async def get(self) -> T:
        """Return the running loop's resource; if opening fails, the next call tries again."""
        loop = asyncio.get_running_loop()
        life = self._lives.get(loop)
        if life is None:
            for ended in [other for other in list(self._lives) if other.is_closed()]:
                self._lives.pop(ended, None)
            life = self._lives.setdefault(loop, _Life())
        if not life.opened:
            async with life.lock:
                if not life.opened:
                    generator = self._live()
                    life.opened.append((await anext(generator), generator))
        return life.opened[0][0]

    async def aclose(self) -> None:
        """Close the running loop's resource; the next use opens it again."""
        life = self._lives.pop(asyncio.get_running_loop(), None)
        if life is None:
            return
        async with life.lock:
            for _, generator in life.opened:
                await generator.aclose()


@dataclass(slots=True, eq=False)
class _Life(Generic[T]):
    """One loop's resource: none yet, or one and the generator that closes it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    opened: list[tuple[T, AsyncGenerator[T]]] = field(default_factory=list)
