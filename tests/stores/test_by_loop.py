"""One opening for each loop, closed with the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from flashlite.stores.by_loop import ByLoop


class Door:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.is_locked = False

    async def live(self) -> AsyncGenerator[int]:
        await asyncio.sleep(0)
        if self.is_locked:
            raise OSError("locked")
        self.log.append("open")
        try:
            yield len(self.log)
        finally:
            await asyncio.sleep(0)
            self.log.append("closed")


def test_it_is_opened_once_on_each_loop_and_closed_with_it() -> None:
    door = Door()
    by_loop = ByLoop(door.live)

    async def use() -> list[int]:
        return await asyncio.gather(*(by_loop.get() for _ in range(5)))

    assert asyncio.run(use()) == [1] * 5
    assert asyncio.run(use()) == [3] * 5
    assert door.log == ["open", "closed"] * 2


async def test_it_opens_again_after_it_was_closed() -> None:
    door = Door()
    by_loop = ByLoop(door.live)
    await by_loop.aclose()
    await by_loop.get()
    await by_loop.aclose()
    await by_loop.get()
    assert door.log == ["open", "closed", "open"]
    await by_loop.aclose()


async def test_what_cannot_be_opened_is_tried_anew() -> None:
    door = Door()
    by_loop, door.is_locked = ByLoop(door.live), True
    for _ in range(2):
        with pytest.raises(OSError):
            await by_loop.get()
    door.is_locked = False
    assert await by_loop.get() == 1
    await by_loop.aclose()
