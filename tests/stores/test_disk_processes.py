"""Several processes and one file: shared, killed, forked, ended without a word."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flashlite.stores import DiskCache

from .shelf import all_entries, make_entry

# A longer run looks harder: FLASHLITE_TEST_SECONDS=60.
SECONDS = float(os.environ.get("FLASHLITE_TEST_SECONDS", "2"))

START = """
import asyncio, hashlib, logging, os, sys, time
logging.getLogger("asyncio").setLevel(logging.ERROR)  # says what is slow on a busy machine
from flashlite.stores import DiskCache, Entry

def entry(name):
    key = hashlib.sha256(name.encode()).hexdigest()
    answer = ('{"answer":"' + name + '"}').encode()
    return Entry(key=key, request=b"{}", response=answer + b" " * 1000, created=time.time())

store = DiskCache(sys.argv[1])
"""


def start(code: str, path: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", START + code, str(path), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=SECONDS + 60)
    finally:
        process.kill()
    return process.returncode, out, err


async def answers(path: Path) -> set[str]:
    """Read every entry as a new process would."""
    store = DiskCache(path)
    found = {entry.response.decode().strip() for entry in await all_entries(store)}
    await store.aclose()
    return found


WRITE_FOR_A_WHILE = """
async def main():
    end, number = time.monotonic() + float(sys.argv[3]), 0
    while time.monotonic() < end:
        await store.put(mine := entry(f"{sys.argv[2]} {number}"))
        await store.put(entry(f"shared {number % 50}"))
        assert await store.get(mine.key) == mine
        assert await store.get(entry(f"shared {number % 50}").key)
        number += 1
        await asyncio.sleep(0)
        if number % 100 == 0:
            await store.flush()
    await store.aclose()
    print(number)
asyncio.run(main())
"""


async def test_several_processes_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.db"
    names = ("a", "b", "c")
    writers = [start(WRITE_FOR_A_WHILE, path, name, str(SECONDS)) for name in names]
    results = [finish(writer) for writer in writers]
    assert [(code, err) for code, _, err in results] == [(0, "")] * len(names)
    expected = {
        f'{{"answer":"{name} {number}"}}'
        for name, (_, out, _) in zip(names, results, strict=True)
        for number in range(int(out))
    }
    found = await answers(path)
    assert {answer for answer in found if "shared" not in answer} == expected
    assert sum("shared" in answer for answer in found) == 50


async def test_processes_that_make_one_file_at_once_all_succeed(tmp_path: Path) -> None:
    code = 'asyncio.run(store.put(entry(sys.argv[2]))); asyncio.run(store.aclose()); print("ok")'
    for attempt in range(2):
        path = tmp_path / str(attempt) / "answers.db"
        writers = [start(code, path, str(number)) for number in range(4)]
        assert [finish(writer) for writer in writers] == [(0, "ok\n", "")] * 4
        assert len(await answers(path)) == 4


WRITE_UNTIL_KILLED = """
async def main():
    for batch in range(1_000_000):
        for number in range(20):
            await store.put(entry(f"{batch} {number}"))
        if batch % 3:
            await store.flush()
            print(batch, flush=True)
asyncio.run(main())
"""


async def test_a_killed_process_leaves_everything_that_was_flushed(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    writer = start(WRITE_UNTIL_KILLED, path)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) > 30:
            writer.send_signal(signal.SIGKILL)
            break
    code, rest, err = finish(writer)
    flushed = int([line, *rest.split()][-1])
    assert (code, err) == (-signal.SIGKILL, "")
    found = await answers(path)
    expected = {
        f'{{"answer":"{batch} {number}"}}' for batch in range(flushed + 1) for number in range(20)
    }
    assert expected - found == set()


async def test_a_process_that_just_ends_has_written_everything(tmp_path: Path) -> None:
    code = """
async def main():
    for number in range(1000):
        await store.put(entry(str(number)))
asyncio.run(main())
print("ended")
"""
    path = tmp_path / "answers.db"
    assert finish(start(code, path)) == (0, "ended\n", "")
    assert len(await answers(path)) == 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
async def test_a_process_of_multiprocessing_that_just_ends_has_written_everything(
    tmp_path: Path,
) -> None:
    code = """
import multiprocessing

async def put(name):
    for number in range(50):
        await store.put(entry(f"{name} {number}"))

def work(name):
    asyncio.run(put(name))

children = [
    multiprocessing.get_context("fork").Process(target=work, args=(name,)) for name in ("a", "b")
]
for child in children:
    child.start()
for child in children:
    child.join()
print([child.exitcode for child in children])
"""
    path = tmp_path / "answers.db"
    assert finish(start(code, path)) == (0, "[0, 0]\n", "")
    assert len(await answers(path)) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("end", ["os._exit(7)", "sys.exit(7)"])
async def test_a_forked_child_opens_the_file_anew(tmp_path: Path, end: str) -> None:
    code = f"""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
async def go(name):
    await store.put(entry(name))
    await store.flush()
    assert await store.get(entry("before").key)
    await store.put(entry(name + " and more"))
asyncio.run(go("before"))
for number in range(5):
    child = os.fork()
    if not child:
        asyncio.run(go(f"child {{number}}"))
        asyncio.run(store.aclose())
        {end}
    asyncio.run(go(f"parent {{number}}"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print("the parent goes on")
"""
    path = tmp_path / "answers.db"
    assert finish(start(code, path)) == (0, "the parent goes on\n", "")
    assert len(await answers(path)) == 2 * (1 + 5 + 5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
async def test_forking_while_other_threads_write_harms_nobody(tmp_path: Path) -> None:
    code = """
import threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
stop = threading.Event()
def write(name):
    async def go():
        number = 0
        while not stop.is_set():
            await store.put(entry(f"{name} {number}"))
            assert await store.get(entry(f"{name} {number % 10}").key)
            number += 1
        await store.flush()
        counts[name] = number
    asyncio.run(go())
async def one(name):
    await store.put(entry(name))
    await store.flush()
    assert await store.get(entry(name).key)
counts = {}
threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
for thread in threads:
    thread.start()
for number in range(10):
    child = os.fork()
    if not child:
        asyncio.run(one(f"child {number}"))
        os._exit(7)
    asyncio.run(one(f"parent {number}"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
stop.set()
for thread in threads:
    thread.join()
print(sum(counts.values()))
"""
    path = tmp_path / "answers.db"
    exit_code, out, err = finish(start(code, path))
    assert (exit_code, err) == (0, "")
    assert len(await answers(path)) == int(out) + 20


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
async def test_a_full_disk_is_reported_and_the_file_stays_whole(tmp_path: Path) -> None:
    code = """
import logging, resource
from flashlite.stores import StoreError
logging.disable()
async def main():
    await store.put(entry("first"))
    await store.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    for number in range(1000):
        await store.put(entry(str(number)))
    try:
        await store.flush()
    except StoreError as error:
        print(error)
    assert await store.get(entry("first").key)
asyncio.run(main())
"""
    path = tmp_path / "answers.db"
    exit_code, out, err = finish(start(code, path))
    assert (exit_code, err) == (0, "")
    assert out.startswith(f"{path}: ")
    assert '{"answer":"first"}' in await answers(path)


def test_two_stores_of_one_process_share_a_file(tmp_path: Path) -> None:
    async def main() -> set[str]:
        stores = [DiskCache(tmp_path / "answers.db") for _ in range(3)]
        for number in range(300):
            await stores[number % 3].put(make_entry(str(number), str(number)))
        for store in stores:
            await store.aclose()
        return await answers(tmp_path / "answers.db")

    assert len(asyncio.run(main())) == 300
