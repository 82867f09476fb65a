"""Threads, processes, forks and the ends of scripts: every sample is in a log, once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from flashlite import InspectLogger
from flashlite.inspect_logs import recover

from .logs import read, samples

START = """
import asyncio, os, sys
from flashlite import InspectLogger
from flashlite.inspect_logs import recover
logger = InspectLogger(sys.argv[1])
"""


def run(code: str, folder: Path) -> int:
    """Run a script with a logger; return its exit status."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", START + code, str(folder)]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


def test_threads_share_a_log(tmp_path: Path) -> None:
    def work(name: str) -> None:
        for number in range(50):
            logger.log("x", "y", f"{name}{number}")
            with logger.sample(name) as s:
                s.model("x", "y")

    with InspectLogger(tmp_path, snapshot_interval=0.001) as logger:
        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = Counter(str(sample.id)[0] for sample in samples(tmp_path))
    assert found == dict.fromkeys("abcd", 100)


def test_processes_have_their_own_logs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START + "for n in range(50): logger.log('x', 'y', n)"]
    children = [subprocess.Popen([*command, str(tmp_path)]) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    logs = [read_eval_log(str(path)) for path in tmp_path.iterdir()]
    assert [(log.status, len(log.samples or ())) for log in logs] == [("success", 50)] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_has_its_own_log_of_the_same_run(tmp_path: Path) -> None:
    code = """
logger.log("x", "y", "before")
if os.fork() == 0:
    logger.log("x", "y", "child")
    sys.exit()
os.wait()
logger.log("x", "y", "parent")
"""
    assert run(code, tmp_path) == 0
    logs = [read_eval_log(str(path)) for path in tmp_path.iterdir()]
    found = {tuple(sorted(str(s.id) for s in log.samples or ())): log.eval for log in logs}
    assert set(found) == {("before", "parent"), ("child",)}
    assert len({spec.run_id for spec in found.values()}) == 1
    assert len({spec.task_id for spec in found.values()}) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_call_of_a_fork_is_in_the_forks_log_not_in_its_copy_of_a_sample(tmp_path: Path) -> None:
    code = """
from flashlite.inspect_logs import record_model_call
with logger.sample("parents"):
    if os.fork() == 0:
        record_model_call("x", "child", logger=logger)
        logger.close()
        os._exit(0)
    os.wait()
    record_model_call("x", "parent", logger=logger)
"""
    assert run(code, tmp_path) == 0
    logs = [read_eval_log(str(path)).samples or [] for path in tmp_path.iterdir()]
    found = {(sample.id, sample.output.completion) for log in logs for sample in log}
    assert found == {("parents", "parent"), (1, "child")}


def test_children_of_multiprocessing_close_their_logs(tmp_path: Path) -> None:
    code = """
import multiprocessing
def work(number):
    logger.log("x", "y", number)
context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(n,)) for n in range(2)]
for child in children: child.start()
for child in children: child.join()
"""
    assert run(code, tmp_path) == 0
    logs = [read_eval_log(str(path)) for path in tmp_path.iterdir()]
    assert [(log.status, len(log.samples or ())) for log in logs] == [("success", 1)] * 2


@pytest.mark.parametrize(
    ("last", "code", "status"),
    [
        ("pass", 0, "success"),
        ("raise ValueError('no')", 1, "error"),
        ("raise KeyboardInterrupt", -2, "cancelled"),
        ("logger.sample('open').__enter__()", 0, "cancelled"),
        ("logger = None", 0, "success"),
    ],
)
def test_a_forgotten_log_is_closed_with_what_ended_the_script(
    tmp_path: Path, last: str, code: int, status: str
) -> None:
    assert run(f"logger.log('x', 'y')\n{last}\n", tmp_path) == code
    log = read(tmp_path)
    assert (log.status, (log.samples or [])[0].output.completion) == (status, "y")
    assert (log.error is not None) == (code != 0)
    assert [path.suffix for path in tmp_path.iterdir()] == [".eval"]


def test_a_full_disk_costs_no_sample_that_is_safe(tmp_path: Path) -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for number in range(200):
    logger.log(os.urandom(2000).hex(), "y", number)
"""
    assert run(code, tmp_path) == 0
    [path] = recover(tmp_path)
    found = [sample.id for sample in read_eval_log(str(path)).samples or ()]
    # Where the disk ends, a later sample that is some bytes smaller may still fit.
    assert found[:-1] == list(range(len(found) - 1))
    assert 10 < len(found) < 100
    assert list(tmp_path.iterdir()) == [path]


def test_logging_imports_nothing_of_inspect(tmp_path: Path) -> None:
    code = "logger.log('x', 'y', score=1); logger.close(); sys.exit('inspect_ai' in sys.modules)"
    assert run(code, tmp_path) == 0


def test_a_log_is_closed_off_the_loop(tmp_path: Path) -> None:
    async def work() -> None:
        logger = InspectLogger(tmp_path)
        logger.log("x", "y")
        await logger.aflush()
        await logger.aclose()

    asyncio.run(work())
    assert [path.suffix for path in tmp_path.iterdir()] == [".eval"]
