"""Killed runs: no log that cannot be read, no sample lost that was said to be safe."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log, read_eval_log_sample, read_eval_log_sample_summaries

from flashlite import InspectLogger
from flashlite.inspect_logs import recover
from flashlite.inspect_logs.files import in_the_making

from .logs import read, the_log

CHILD = Path(__file__).with_name("child.py")
KILLS = int(os.environ.get("FLASHLITE_TEST_KILLS", "20"))


def kill(folder: Path, *, after: int, size: int) -> int:
    """Kill a script that logs once that many samples are safe; return how many are."""
    command = [sys.executable, str(CHILD), str(folder), str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(after + 1):
            child.stdout.readline()
        child.kill()
        rest = child.stdout.read().split("\n")[:-1]  # a line that is cut is not said
    return after + 1 + len(rest)


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill_loses_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    size = chance.choice([4_000, 40_000, 400_000])
    safe = kill(tmp_path, after=chance.randrange(400_000 // size * 3 + 3), size=size)
    for path in tmp_path.glob("*.eval"):
        with zipfile.ZipFile(path) as log:
            assert log.testzip() is None
        assert read_eval_log(str(path), header_only=True).status == "started"
    [path] = recover(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    header = read_eval_log(str(path), header_only=True)
    assert header.status == "error"
    assert header.error is not None
    assert header.error.message == "the process was killed before this ended"
    ids = {summary.id for summary in read_eval_log_sample_summaries(str(path))}
    assert ids >= set(range(safe))
    assert header.results is not None
    assert header.results.total_samples == len(ids)
    whole = read_eval_log_sample(str(path), safe - 1, 1, resolve_attachments=True)
    assert whole.output.completion == "an answer"


def test_a_running_sample_is_recovered_as_far_as_it_came(tmp_path: Path) -> None:
    safe = kill(tmp_path, after=300, size=100)
    recover(tmp_path)
    sample = read_eval_log_sample(str(the_log(tmp_path)), "running", 1)
    assert sample.error is not None
    assert sample.error.message == "the process was killed before this ended"
    asked = [event.input[0].text for event in sample.events if event.event == "model"]
    assert asked == [str(number) for number in range(len(asked))]
    assert 0 < len(asked) <= safe + 1
    assert [event.event for event in sample.events][-3:] == ["span_end", "span_end", "error"]
    assert [message.text for message in sample.messages] == [asked[-1], "an answer"]


def test_no_secret_of_a_chat_stands_for_it_when_it_is_recovered(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHAT, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
    recover(tmp_path)
    [sample] = read(tmp_path).samples or []
    assert (sample.input, sample.messages, sample.output.choices) == ("", [], [])
    assert "secret: kill Bob" in sample.model_dump_json()


CHAT = """
import asyncio, sys
from pathlib import Path
from flashlite import Agent, Flashlite, InspectLogger, MultiAgentChat

logger = InspectLogger(sys.argv[1])
chat = MultiAgentChat(Flashlite("mock/echo"), [Agent("Wolf"), Agent("Seer")])
logger.attach(chat, "game")
chat.add_message("Host", "secret: kill Bob", visible_to=["Wolf"])
asyncio.run(chat.speak("Wolf"))
while not any(b'"event":"model"' in f.read_bytes() for f in Path(sys.argv[1]).glob("*.jsonl")):
    logger.flush()
print("said", flush=True)
sys.stdin.read()
"""


def test_the_next_run_recovers_the_one_before(tmp_path: Path) -> None:
    kill(tmp_path, after=3, size=100)
    with InspectLogger(tmp_path, "next") as logger:
        logger.log("Hi", "there")
    statuses = {
        log.eval.task: log.status
        for log in (read_eval_log(str(path), header_only=True) for path in tmp_path.glob("*.eval"))
    }
    assert statuses == {"killed": "error", "next": "success"}
    assert not (tmp_path / ".buffer").exists()


def test_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log("Hi", "there", 1)
        assert recover(tmp_path) == []
        logger.log("Hi", "there", 2)
    assert len(read(tmp_path).samples or ()) == 2


def test_a_kill_before_the_first_word_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / ".2026_t_x.eval.part").write_bytes(b"PK\3\4")
    assert recover(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_it_is_finished_leaves_a_finished_log(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log("Hi", "there", 1)
    done = the_log(tmp_path)
    content = done.read_bytes()
    for cut in (0, 1, 22):  # the last step was to be the name
        done.rename(tmp_path / f".{done.name}.part")
        (tmp_path / f".{done.name}.part").write_bytes(content[: len(content) - cut])
        assert recover(tmp_path) == [done]
        assert read(tmp_path).status == "success"


def test_a_folder_without_logs_has_none_to_recover(tmp_path: Path) -> None:
    assert recover(tmp_path / "none") == []
    assert list(in_the_making(tmp_path)) == []


def test_what_cannot_be_opened_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".another.eval.part").mkdir()
    assert recover(tmp_path) == []
