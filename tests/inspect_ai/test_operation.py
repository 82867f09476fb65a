"""Evals as they are run: from a command line, killed in their midst, and cancelled from outside.

Each runs in a process of its own, for Inspect's commands belong to one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from threading import Event
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

from flashlite.testing import MockServer

from .loopback import ANSWERS, Loopback

TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

@task
def questions(asked: list[str]):
    dataset = [Sample(id=one, input=one, target="ok") for one in asked]
    return Task(dataset=dataset, solver=generate(), scorer=includes())
"""
_LONGEST = 100  # seconds that a process may take


class Provider:
    """A server that never answers questions that are slow, as long as it is slow."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_slow = True
        self.hangs = Event()

    def __call__(self, body: Any) -> tuple[int, dict[str, str], Any] | None:
        question = body["messages"][-1]["content"]
        self.asked.append(question)
        if self.is_slow and question.startswith("slow"):
            self.hangs.set()
            return None
        return 200, {}, ANSWERS["openai"]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of its own, with a short name, for there will be a socket in it."""
    folder = Path(mkdtemp(prefix="fl-"))
    (folder / "task.py").write_text(TASK)
    yield folder
    shutil.rmtree(folder)


def _inspect(home: Path, *arguments: str) -> subprocess.Popen[str]:
    named = {"OPENAI_API_KEY": "k", "INSPECT_LOG_DIR": "logs", "XDG_DATA_HOME": str(home / "data")}
    command = [sys.executable, "-W", "ignore", "-m", "inspect_ai", *arguments]
    return subprocess.Popen(
        command,
        cwd=home,
        env={**os.environ, **named},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _done(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate(timeout=_LONGEST)
    assert process.returncode == 0, said


def _eval(home: Path, server: Loopback, *asked: str) -> subprocess.Popen[str]:
    return _inspect(
        home,
        *("eval", "task.py", "-T", f"asked=[{', '.join(asked)}]"),
        *("--model", "flashlite/openai/gpt-4o", "--model-base-url", server.base_url),
        *("--max-samples", "1", "--log-buffer", "1", "--display", "none"),
    )


def _logs(home: Path) -> list[EvalLog]:
    return [read_eval_log(log) for log in list_eval_logs(str(home / "logs"), descending=False)]


def _scores(log: EvalLog) -> dict[str, Any]:
    return {
        str(sample.id): sample.scores and sample.scores["includes"].value
        for sample in log.samples or ()
    }


@pytest.mark.services  # not for a service, but each command imports all of Inspect
def test_an_eval_that_was_killed_is_taken_up_again_and_no_answer_is_paid_for_twice(
    home: Path,
) -> None:
    provider = Provider()
    with Loopback(provider) as server:
        process = _eval(home, server, "one", "two", "slow three", "four")
        assert provider.hangs.wait(_LONGEST)
        process.kill()
        process.communicate(timeout=_LONGEST)
        [killed] = _logs(home)
        assert (killed.status, _scores(killed)) == ("started", {"one": "C", "two": "C"})
        provider.is_slow = False
        _done(_inspect(home, "eval-retry", killed.location, "--display", "none"))
    assert provider.asked[:3] == ["one", "two", "slow three"]
    assert sorted(provider.asked[3:]) == ["four", "slow three"]
    _, again = _logs(home)
    assert (again.status, _scores(again)) == (
        "success",
        {"one": "C", "two": "C", "slow three": "C", "four": "C"},
    )


@pytest.mark.services  # likewise
@pytest.mark.parametrize(
    ("action", "score", "reason"), [("score", "I", "operator"), ("cancel", {}, "CancelledError")]
)
def test_an_operator_cancels_a_sample_that_waits_for_an_answer(
    home: Path, action: str, score: Any, reason: str
) -> None:
    provider = Provider()
    with Loopback(provider) as server:
        process = _eval(home, server, "one", "slow two", "three")
        assert provider.hangs.wait(_LONGEST)
        cancel = ("ctl", "sample", "cancel", "questions", "slow two", "--action", action)
        _done(_inspect(home, *cancel))
        _done(process)
    assert provider.asked == ["one", "slow two", "three"]
    [log] = _logs(home)
    assert (log.status, _scores(log)) == (
        "success",
        {"one": "C", "slow two": score, "three": "C"},
    )
    [cancelled] = [sample for sample in log.samples or () if sample.id == "slow two"]
    ended = cancelled.limit.type if cancelled.limit else cancelled.error and cancelled.error.message
    assert ended is not None
    assert ended.partition("(")[0] == reason


def test_two_tasks_of_two_models_run_in_one_process_at_once() -> None:
    tasks = [
        Task(
            name=name,
            dataset=[Sample(input=f"{name} {n}", target=name) for n in range(5)],
            solver=generate(),
            scorer=includes(),
        )
        for name in ("red", "blue")
    ]
    models = ["flashlite/openai/echo", "flashlite/openai/gpt-4o"]
    with MockServer("echo") as server:
        logs = eval(
            tasks,
            model=models,
            model_base_url=server.base_url,
            model_args={"api_key": "k"},
            max_tasks=4,
            display="none",
        )
        assert len(server.requests) == 20
    assert sorted((log.eval.task, log.eval.model, log.status) for log in logs) == [
        (task, model, "success") for task in ("blue", "red") for model in models
    ]
    assert all(
        sample.output.completion == sample.input for log in logs for sample in log.samples or ()
    )
