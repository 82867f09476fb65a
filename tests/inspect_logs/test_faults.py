"""Disks that are full, folders that cannot be written or are gone: the run goes on, or is told."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from flashlite import Flashlite, InspectLogger, StoreError
from flashlite.inspect_logs import recover

from .logs import samples

NOBODY = 65534


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder in which this process may not write, also if it is root's."""
    folder = Path(tempfile.mkdtemp(prefix="flashlite-read-only-"))
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def talk(logger: InspectLogger) -> str:
    """Attach a conversation, and return what it says."""
    conversation = Flashlite("mock/echo", inspect_logger=logger).conversation()
    with logger.attach(conversation) as sample:
        asyncio.run(conversation.say("Hello"))
        sample.score("polite", 1.0)
    return str(conversation.messages[-1].text)


def test_a_read_only_folder_costs_the_log_and_is_said_once_and_at_the_end(
    read_only: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "flashlite.inspect_logs"):
        with InspectLogger(read_only) as logger:
            assert [talk(logger), talk(logger)] == ["Hello", "Hello"]
            logger.log("x", "y")
        assert [message.partition(": [Errno")[0] for message in caplog.messages] == [
            f"the log cannot be written (said once): {read_only}",
            f"the log is not complete: {read_only}: 3 samples could not be written",
        ]
    assert list(read_only.iterdir()) == []


def test_a_read_only_folder_is_an_error_where_logs_are_wanted_strictly(read_only: Path) -> None:
    logger = InspectLogger(read_only, strict=True)
    with pytest.raises(StoreError, match=f"{read_only}: the log cannot be written: .*denied"):
        talk(logger)
    logger.close()


FULL = """
import os, resource, sys
from flashlite import InspectLogger, StoreError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
logger = InspectLogger(sys.argv[1], strict=True)
number = 0
try:
    while True:
        logger.log(os.urandom(2000).hex(), "y", number)
        number += 1
except StoreError:
    print(number)
os._exit(0)
"""


def test_a_full_disk_is_an_error_where_logs_are_wanted_strictly_and_loses_nothing(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    [path] = recover(tmp_path)
    found = [sample.id for sample in read_eval_log(str(path)).samples or ()]
    assert found == list(range(int(done.stdout)))
    assert len(found) > 10


def test_a_folder_that_is_removed_meanwhile_is_made_again_and_has_all(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    with InspectLogger(folder, snapshot_interval=0.001) as logger:
        conversation = Flashlite("mock/echo").conversation()
        logger.attach(conversation, "s")
        asyncio.run(conversation.say("before"))
        logger.flush()
        while folder.exists():
            with suppress(OSError):  # the logger may be writing there
                shutil.rmtree(folder)
        asyncio.run(conversation.say("after"))
        logger.flush()
    [sample] = samples(folder)
    assert [event.output.completion for event in sample.events if event.event == "model"] == [
        "before", "after"
    ]  # fmt: skip


FOUR = """
import asyncio, sys
from flashlite import Agent, Flashlite, InspectLogger, MultiAgentChat
async def debate(logger, number):
    chat = MultiAgentChat(Flashlite("mock/echo"), [Agent("Red"), Agent("Blue")])
    with logger.attach(chat, number):
        chat.add_message("Judge", f"Begin {number}.")
        await chat.round_robin()
async def main(logger):
    await asyncio.gather(*(debate(logger, number) for number in range(25)))
with InspectLogger(sys.argv[1]) as logger:
    asyncio.run(main(logger))
"""


def test_four_processes_of_many_tasks_have_their_own_logs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FOUR, str(tmp_path)]
    children = [subprocess.Popen(command) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    logs = [read_eval_log(str(path)) for path in tmp_path.iterdir()]
    assert [log.status for log in logs] == ["success"] * 4
    for log in logs:
        calls = {
            sample.id: [event.role for event in sample.events if event.event == "model"]
            for sample in log.samples or ()
        }
        assert calls == {number: ["Red", "Blue"] for number in range(25)}
