"""`flashlite logs recover`: what a killed run left is closed, and what runs is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from flashlite import InspectLogger

from .commands import Ran, run

KILLED = """
import asyncio, os, signal, sys, time
from pathlib import Path
from flashlite import Flashlite, InspectLogger
logger = InspectLogger(sys.argv[1])
logger.log("x", "y", "whole")
conversation = Flashlite("mock/echo").conversation()
logger.attach(conversation, "running")
asyncio.run(conversation.say("Hello"))
logger.flush()
journals = lambda: Path(sys.argv[1]).glob(".*.running.jsonl")
while not any(b'"model"' in journal.read_bytes() for journal in journals()):
    time.sleep(0.01)  # they are written some hundredths of a second later
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that a killed run left, with a whole sample and one that ran."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "logs")], timeout=60)
    assert done.returncode == -9
    return tmp_path / "logs"


def test_a_killed_run_is_closed_and_its_samples_are_counted(folder: Path) -> None:
    [log] = folder.glob("*.eval")
    assert run("logs", "recover", folder) == Ran(0, f"{log}: 2 samples\n", "")
    assert list(folder.iterdir()) == [log]
    found = read_eval_log(str(log))
    assert found.status == "error"
    assert {sample.id: (sample.input, bool(sample.error)) for sample in found.samples or ()} == {
        "whole": ("x", False), "running": ("Hello", True)
    }  # fmt: skip
    assert run("logs", "recover", folder) == Ran(0, "nothing to recover\n", "")


def test_one_log_may_be_named_and_the_answer_be_json(folder: Path) -> None:
    [log] = folder.glob("*.eval")
    ran = run("logs", "recover", log, "--json")
    assert (ran.code, json.loads(ran.out)) == (
        0, {"recovered": {str(log): 2}, "running": [], "failed": {}}
    )  # fmt: skip


def test_a_run_that_writes_is_left_alone(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log("x", "y")
        ran = run("logs", "recover", tmp_path)
        assert ran == Ran(0, f"{logger.path}: still being written, or another user's\n", "")
    assert read_eval_log(str(logger.path), header_only=True).status == "success"


def test_the_folder_is_logs_where_none_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    [log] = folder.glob("*.eval")
    assert run("logs", "recover") == Ran(0, f"logs/{log.name}: 2 samples\n", "")


def test_what_cannot_be_recovered_stays_and_is_named(folder: Path) -> None:
    [journal] = folder.glob(".*.running.jsonl")
    lines = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join(line.replace(b'"begin"', b'"begin":{},"old"') for line in lines))
    before = {path: os.path.getsize(path) for path in folder.glob(".*.part")}
    ran = run("logs", "recover", folder)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("flashlite: cannot be recovered: ")
    assert {path: os.path.getsize(path) for path in folder.glob(".*.part")} == before


def test_a_folder_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    assert run("logs", "recover", tmp_path / "nowhere").code == 2
