"""Small states in a file: changed by one after another, whole or not at all."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from flashlite import ConfigError, DiskCache, StoreError
from flashlite.stores import StateFile


def count(state: dict[str, Any]) -> int:
    state["count"] = state.get("count", 0) + 1
    return int(state["count"])


async def test_a_change_finds_what_the_last_one_left(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "made" / "x.db")
    assert await asyncio.gather(*(file.change("a", count) for _ in range(20))) == list(range(1, 21))
    assert await file.change("b", count) == 1
    assert await file.names() == ["a", "b"]
    await file.aclose()
    assert await file.change("a", count) == 21
    await file.aclose()


async def test_a_change_that_raises_has_not_been(tmp_path: Path) -> None:
    def fail(state: dict[str, Any]) -> None:
        state["count"] = 1000
        raise LookupError

    file = StateFile(tmp_path / "x.db")
    await file.change("a", count)
    with pytest.raises(LookupError):
        await file.change("a", fail)
    assert await file.change("a", count) == 2
    await file.aclose()


def test_one_file_serves_loops_one_after_another(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "x.db")
    assert [asyncio.run(file.change("a", count)) for _ in range(3)] == [1, 2, 3]
    asyncio.run(file.aclose())


CHILD = """
import asyncio, sys
from flashlite.stores import StateFile

def count(state):
    state["count"] = state.get("count", 0) + 1
    return state["count"]

async def main():
    file = StateFile(sys.argv[1])
    while True:
        print(await file.change("a", count), flush=True)

asyncio.run(main())
"""


def test_processes_that_are_killed_lose_nothing_and_hold_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    command = [sys.executable, "-c", CHILD, str(path)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        for _ in range(50):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    seen = [int(line) for child in children for line in child.communicate()[0].split()]
    file = StateFile(path, busy_timeout=1)
    last = asyncio.run(file.change("a", count))
    asyncio.run(file.aclose())
    assert len(set(seen)) == len(seen)
    assert last > max(seen, default=150)


def _count_in_a_child(file: StateFile) -> None:
    found = asyncio.run(file.change("a", count))
    os._exit(found)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_a_connection_of_its_own(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "x.db")
    asyncio.run(file.change("a", count))
    child = multiprocessing.get_context("fork").Process(target=_count_in_a_child, args=(file,))
    child.start()
    child.join(20)
    assert child.exitcode == 2
    assert asyncio.run(file.change("a", count)) == 3
    asyncio.run(file.aclose())


def test_a_file_that_was_removed_is_a_new_one_for_everybody(tmp_path: Path) -> None:
    mine, yours = (StateFile(tmp_path / "x.db") for _ in range(2))

    def counted(*files: StateFile) -> list[int]:
        return [asyncio.run(file.change("a", count)) for file in files]

    assert counted(mine, yours) == [1, 2]
    for path in tmp_path.iterdir():
        path.unlink()
    assert counted(mine, yours, mine) == [1, 2, 3]
    for file in (mine, yours):
        asyncio.run(file.aclose())


async def test_a_file_that_was_put_back_is_used_as_it_is(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "x.db")
    for path, changes in ((tmp_path / "old.db", 1), (tmp_path / "x.db", 5)):
        other = StateFile(path)
        for _ in range(changes):
            await other.change("a", count)
        await other.aclose()
    assert await file.change("a", count) == 6
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"x.db{end}").unlink(missing_ok=True)
    (tmp_path / "old.db").rename(tmp_path / "x.db")
    assert await file.change("a", count) == 2
    await file.aclose()


async def test_a_file_that_another_program_holds_is_waited_for_but_not_for_ever(
    tmp_path: Path,
) -> None:
    file = StateFile(tmp_path / "x.db", busy_timeout=0.05)
    await file.change("a", count)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds the file"):
        await file.change("a", count)
    other.execute("COMMIT")
    other.close()
    assert await file.change("a", count) == 2
    await file.aclose()


async def test_what_is_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache.db")
    await cache.stats()
    await cache.aclose()
    (tmp_path / "notes").write_text("these are notes, and no database\n" * 100)
    found = [
        (await asyncio.gather(StateFile(path).change("a", count), return_exceptions=True))[0]
        for path in (tmp_path / "cache.db", tmp_path, tmp_path / "notes")
    ]
    assert [type(error) for error in found] == [ConfigError, ConfigError, StoreError]
    assert [str(error) for error in found[:2]] == [
        f"{tmp_path / 'cache.db'} is the database of something else: choose another path",
        f"{tmp_path} is a folder: name a file in it, like {tmp_path / 'pool.db'}",
    ]
    assert (tmp_path / "notes").read_text().startswith("these are notes")


async def test_a_file_of_states_is_no_cache(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "pool.db")
    await file.change("a", count)
    await file.aclose()
    with pytest.raises(ConfigError, match="is the database of something else"):
        await DiskCache(tmp_path / "pool.db").stats()


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="Linux's own folder takes no files")
async def test_a_place_that_takes_no_file_is_an_outage_that_says_what_to_do() -> None:
    with pytest.raises(StoreError, match="the file and its folder must be writable"):
        await StateFile("/proc/self/pool.db").change("a", count)


async def test_the_loop_goes_on_while_a_change_is_made(tmp_path: Path) -> None:
    begun, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(state: dict[str, Any]) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return may_end.wait(20)

    file = StateFile(tmp_path / "x.db")
    changing = asyncio.create_task(file.change("a", wait))
    await begun.wait()
    may_end.set()
    assert await changing
    await file.aclose()
