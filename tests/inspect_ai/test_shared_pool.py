"""Pools that several processes share: `-M pool=<address>`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai.log import list_eval_logs, read_eval_log
from inspect_ai.solver import generate

from flashlite.errors import ConfigError
from flashlite.inspect_ai._pool import pool_named
from flashlite.testing import MockServer

from .running import run_log

TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.solver import generate

@task
def many():
    dataset = [Sample(input=f"question {n}") for n in range(20)]
    return Task(dataset=dataset, solver=generate())
"""


@pytest.mark.services  # not for a service, but each process imports all of Inspect
def test_two_processes_share_the_budget_of_a_file(tmp_path: Path) -> None:
    share_a_budget(tmp_path, pool="sqlite:pool.db")


def share_a_budget(tmp_path: Path, *, pool: str) -> None:
    """Run the same eval in two processes, for which the budget does not suffice."""
    (tmp_path / "task.py").write_text(TASK)
    command = [
        *(sys.executable, "-W", "ignore", "-m", "inspect_ai", "eval", "task.py"),
        *("--model", "flashlite/openai/gpt-4o", "--max-tokens", "16", "--display", "none"),
        *("-M", f"pool={pool}", "-M", "budget=0.001"),
    ]
    env = {**os.environ, "OPENAI_API_KEY": "k", "INSPECT_LOG_DIR": "logs"}
    with MockServer("echo") as server:
        at = [*command, "--model-base-url", server.base_url]
        processes = [subprocess.Popen(at, cwd=tmp_path, env=env) for _ in range(2)]
        assert [process.wait(100) for process in processes] == [0, 0]
        answered = len(server.requests)
    logs = [read_eval_log(log) for log in list_eval_logs(str(tmp_path / "logs"))]
    samples = [sample for log in logs for sample in log.samples or ()]
    ended = [sample.limit.type for sample in samples if sample.limit]
    assert (len(samples), ended) == (40, ["custom"] * (40 - answered))
    spent = sum(usage.total_cost or 0 for log in logs for usage in log.stats.model_usage.values())
    assert 0.0005 < spent < 0.001


def test_two_evals_of_one_process_meet_in_a_pool_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POOL", "sqlite:pool.db#ours")
    with MockServer("echo") as server:
        for _ in range(2):
            log = run_log(
                generate(),
                "flashlite/openai/gpt-4o",
                samples=["Hi"] * 40,
                model_base_url=server.base_url,
                model_args={"api_key": "k", "pool": "env:POOL", "rpm": 60},
                time_limit=3 if server.requests else None,
                max_connections=100,
            )
            assert log.status == "success"
        assert len(server.requests) == 60


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("env:NOWHERE", "-M pool=env:NOWHERE: there is no NOWHERE in the environment"),
        (
            "redis://user:secret@host/0",
            "-M pool=...: a password would be in the log. Put the address into the environment, "
            "and say -M pool=env:NAME_OF_THE_VARIABLE",
        ),
        (
            "reddis://host/0",
            "a pool's address is redis://host:port/number or sqlite:path/of/a/file.db",
        ),
    ],
)
def test_a_pool_that_cannot_be_is_refused_in_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pool_named(name, account="me")
    assert str(caught.value) == sentence


def test_a_name_is_a_pool_of_this_process_alone() -> None:
    assert pool_named("a: name", account="me") is pool_named("a: name", account="you")
