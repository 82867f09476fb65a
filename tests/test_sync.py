"""An async generator is read without `await`, one step at a time, and closed in the end."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator

import pytest

from flashlite.errors import ConfigError
from flashlite.sync import iterate_sync, run_sync


async def counting(end: int, closed: list[str]) -> AsyncGenerator[int]:
    try:
        for number in range(end):
            await asyncio.sleep(0)
            yield number
    finally:
        await asyncio.sleep(0)
        closed.append("closed")


def test_all_items_come_in_order() -> None:
    closed: list[str] = []
    assert (list(iterate_sync(counting(3, closed))), closed) == ([0, 1, 2], ["closed"])


def test_a_reader_who_leaves_closes_the_source() -> None:
    closed: list[str] = []
    for number in iterate_sync(counting(3, closed)):
        if number == 1:
            break
    assert closed == ["closed"]


def test_what_the_source_raises_is_raised() -> None:
    async def failing() -> AsyncGenerator[int]:
        yield 1
        raise ConfigError("no more")

    numbers = iterate_sync(failing())
    assert next(numbers) == 1
    with pytest.raises(ConfigError, match="no more"):
        next(numbers)


async def test_it_works_inside_a_running_loop() -> None:
    assert list(iterate_sync(counting(2, []))) == [0, 1]


def test_one_may_go_on_in_another_thread() -> None:
    numbers, rest = iterate_sync(counting(3, [])), list[int]()
    assert next(numbers) == 0
    thread = threading.Thread(target=lambda: rest.extend(numbers))
    thread.start()
    thread.join()
    assert rest == [1, 2]


def test_one_that_the_loop_itself_collects_does_not_stop_it() -> None:
    closed: list[str] = []
    held = [iterate_sync(counting(3, closed))]
    assert next(held[0]) == 0

    async def collect() -> None:
        held.clear()
        gc.collect()

    run_sync(collect())
    run_sync(asyncio.sleep(0.01))
    assert closed == ["closed"]


def test_the_process_ends_quietly_with_one_half_read() -> None:
    code = (
        "from tests.test_sync import *\n"
        "numbers = iterate_sync(counting(3, []))\n"
        "print(next(numbers))"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
