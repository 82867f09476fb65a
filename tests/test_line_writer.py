"""A file that grows line by line: in order, whole, by several processes, to the last line."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flashlite.line_writer import LineWriter

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

START = """
import json, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
from flashlite.line_writer import LineWriter
writer = LineWriter(sys.argv[1])
def write(name, count=1000):
    for number in range(count):
        writer.write(json.dumps([name, number, "x" * (number % 200)]).encode())
"""


def run(code: str, path: Path, *more: str) -> tuple[int, str, str]:
    return finish(start(code, path, *more))


def start(code: str, path: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", START + code, str(path), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


def numbers(path: Path, name: str) -> list[int]:
    """Return what a writer of this name wrote, in the order of the file; every line is whole."""
    lines = [eval(line) for line in path.read_text().splitlines()]
    return [number for owner, number, text in lines if owner == name and len(text) == number % 200]


async def test_lines_are_written_in_their_order(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "new" / "folder" / "lines")
    for number in range(5000):
        writer.write(b"%d" % number)
    await writer.aflush()
    expected = "".join(f"{number}\n" for number in range(5000))
    assert (tmp_path / "new" / "folder" / "lines").read_text() == expected
    writer.close()


def test_nothing_is_opened_before_the_first_line(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "new" / "lines")
    writer.flush()
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_file_opens_again_with_the_next_line(tmp_path: Path) -> None:
    writer, path = LineWriter(tmp_path / "lines"), tmp_path / "lines"
    writer.write(b"one")
    writer.close()
    path.rename(tmp_path / "kept")
    writer.write(b"two")
    writer.close()
    assert ((tmp_path / "kept").read_text(), path.read_text()) == ("one\n", "two\n")


def test_a_relative_path_is_that_of_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = LineWriter("lines")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    writer.write(b"one")
    writer.close()
    assert (tmp_path / "lines").read_text() == "one\n"


def test_a_torn_last_line_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("one\ntw")
    writer = LineWriter(path)
    writer.write(b"three")
    writer.close()
    assert path.read_text() == "one\ntw\nthree\n"


def test_many_threads_share_a_writer(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "lines")

    def write(name: int) -> None:
        for number in range(500):
            writer.write(b"%d %d" % (name, number))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    found = [line.split() for line in (tmp_path / "lines").read_text().splitlines()]
    for name in range(8):
        assert [int(n) for owner, n in found if owner == str(name)] == list(range(500))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a file that nobody reads yet")
async def test_where_too_many_lines_wait_there_is_room_when_they_are_written(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "lines")
    writer = LineWriter(tmp_path / "lines")
    await writer.room()
    for number in range(20_000):  # of 200 bytes: a write has at most 1 MB
        writer.write(b"%0199d" % number)
    waiting = asyncio.create_task(writer.room())
    given_up = asyncio.create_task(writer.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    given_up.cancel()
    with (tmp_path / "lines").open() as lines:
        first = await asyncio.to_thread(lines.readline)
        rest = asyncio.create_task(asyncio.to_thread(lines.read))
        await waiting
        await asyncio.to_thread(writer.close)
        text = first + await rest
    assert [int(line) for line in text.splitlines()] == list(range(20_000))
    assert given_up.cancelled()


@pytest.mark.parametrize("path", ["folder", "file/lines", "\0"])
async def test_what_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    writer = LineWriter(tmp_path / path)
    for _ in range(3):
        writer.write(b"lost")
        await writer.aflush()
    writer.close()
    [said] = caplog.records
    assert (said.levelno, said.name) == (logging.WARNING, "flashlite.line_writer")
    assert said.getMessage().startswith(f"lines are lost (said once): {tmp_path}")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
def test_a_full_disk_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    writer = LineWriter("/dev/full")
    for _ in range(3):
        writer.write(b"lost")
        writer.flush()
    writer.close()
    assert [said.getMessage() for said in caplog.records] == [
        "lines are lost (said once): /dev/full: [Errno 28] No space left on device"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_after_a_write_that_was_cut_off_the_next_line_is_whole(tmp_path: Path) -> None:
    code = """
import logging, resource, signal
logging.disable()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer.write(b"first")
writer.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
writer.write(b"x" * 2000)
writer.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.write(b"last")
"""
    assert run(code, tmp_path / "lines") == (0, "", "")
    assert (tmp_path / "lines").read_text() == "first\n" + "x" * 994 + "\nlast\n"


def test_a_forgotten_writer_writes_all_and_ends_its_thread(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "forgotten")
    writer.write(b"one")
    [thread] = [t for t in threading.enumerate() if t.name == "flashlite forgotten"]
    del writer
    gc.collect()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert (tmp_path / "forgotten").read_text() == "one\n"


def test_processes_that_share_a_file_keep_every_line_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    names = ("a", "b", "c")
    code = "write(sys.argv[2], 5000)"
    writers = [start(code, path, name) for name in names]
    assert [finish(writer) for writer in writers] == [(0, "", "")] * 3
    for name in names:
        assert numbers(path, name) == list(range(5000))


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "del writer"])
def test_a_script_that_ends_at_once_loses_nothing(tmp_path: Path, end: str) -> None:
    assert run(f"write('a')\n{end}", tmp_path / "lines") == (0, "", "")
    assert numbers(tmp_path / "lines", "a") == list(range(1000))


def test_what_is_written_while_the_process_ends_is_written_too(tmp_path: Path) -> None:
    code = """
import atexit
atexit.register(write, "after", 10)  # what is registered first runs last
class Late:
    def __del__(self, writer=writer):
        writer.write(b'["last", 0, ""]')
late = Late()
write("before")
"""
    assert run(code, tmp_path / "lines") == (0, "", "")
    assert numbers(tmp_path / "lines", "before") == list(range(1000))
    assert numbers(tmp_path / "lines", "after") == list(range(10))
    assert numbers(tmp_path / "lines", "last") == [0]


def test_a_writer_that_begins_while_the_process_ends_writes_too(tmp_path: Path) -> None:
    code = "import atexit; atexit.register(write, 'late', 10)"
    assert run(code, tmp_path / "lines") == (0, "", "")
    assert numbers(tmp_path / "lines", "late") == list(range(10))


@needs_fork
def test_a_forked_child_writes_its_own_lines_and_no_others(tmp_path: Path) -> None:
    code = """
write("parent")
for number in range(5):
    child = os.fork()
    if not child:
        write(f"child {number}")
        writer.close()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
write("parent again")
"""
    path = tmp_path / "lines"
    assert run(code, path) == (0, "", "")
    for name in ("parent", "parent again", *(f"child {number}" for number in range(5))):
        assert numbers(path, name) == list(range(1000))
    assert len(path.read_text().splitlines()) == 7000


@needs_fork
def test_forking_while_other_threads_write_harms_nobody(tmp_path: Path) -> None:
    code = """
threads = [threading.Thread(target=write, args=(name, 5000)) for name in "ab"]
for thread in threads:
    thread.start()
for number in range(5):
    child = os.fork()
    if not child:
        write(f"child {number}", 10)
        writer.flush()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
for thread in threads:
    thread.join()
"""
    path = tmp_path / "lines"
    assert run(code, path) == (0, "", "")
    assert numbers(path, "a") == numbers(path, "b") == list(range(5000))
    for number in range(5):
        assert numbers(path, f"child {number}") == list(range(10))


@needs_fork
def test_a_process_of_multiprocessing_that_ends_at_once_loses_nothing(tmp_path: Path) -> None:
    code = """
import multiprocessing
write("parent")
child = multiprocessing.get_context("fork").Process(target=write, args=("child",))
child.start()
child.join()
print(child.exitcode)
"""
    assert run(code, tmp_path / "lines") == (0, "0\n", "")
    assert numbers(tmp_path / "lines", "parent") == list(range(1000))
    assert numbers(tmp_path / "lines", "child") == list(range(1000))


def test_a_killed_process_leaves_everything_that_was_flushed(tmp_path: Path) -> None:
    code = """
import signal
write("flushed")
writer.flush()
write("perhaps")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(code, tmp_path / "lines")[0] != 0
    whole = (tmp_path / "lines").read_text().rpartition("\n")[0]
    (tmp_path / "lines").write_text(whole)
    assert numbers(tmp_path / "lines", "flushed") == list(range(1000))
