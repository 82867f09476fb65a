"""Killed at any step on the way to a provider's jobs: each request is paid for once, none is lost.

A file that is only appended to is, at any moment, what a kill at that moment would leave; so most
of these kills are played: the file is put aside as it is, and the run that wrote it is given up.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from flashlite import Flashlite, FlashliteError, RetryConfig

from .batch_server import BatchServer
from .files import kinds, lines, write
from .provider_child import PROMPTS
from .test_crashes import disk_of
from .test_provider_batch import MODELS, until

CHILD = Path(__file__).with_name("provider_child.py")
FIRST_JOB = {"openai": 2, "anthropic": 1, "google": 3}  # the exchange that submits it
REAL_KILLS = int(os.environ.get("FLASHLITE_TEST_KILLS", "20")) // 20


async def answer_all(server: BatchServer, dialect: str, path: Path) -> list[str]:
    """Answer the prompts by jobs."""
    retry = RetryConfig(max_attempts=3, initial_delay=0.001)
    address = server.address(dialect)
    async with Flashlite(MODELS[dialect], base_url=address, api_key="k", retry=retry) as client:
        answers = await client.batch(
            PROMPTS, checkpoint=path, mode="provider", poll_interval=0.005, max_concurrency=9
        )
    return [answer.content for answer in answers]


def check(server: BatchServer, answers: list[str], path: Path) -> None:
    """All is answered and paid for, once."""
    assert answers == [prompt.upper() for prompt in PROMPTS]
    assert server.bill == Counter(PROMPTS)
    items = Counter(line["item"] for line in lines(path) if line["kind"] == "answer")
    assert (items.total(), len(items)) == (len(PROMPTS), 12)


def start(server: BatchServer, dialect: str, path: Path) -> subprocess.Popen[str]:
    """Start a batch in a process of its own."""
    command = [sys.executable, str(CHILD), server.address(dialect), MODELS[dialect], str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class Killed:
    """Give a run up at its n-th exchange, before or after the server has done its part."""

    def __init__(self, server: BatchServer, path: Path, *, at: int, moment: str) -> None:
        self.left: bytes | None = None
        self._path, self._at, self._moment = path, at, moment
        self._count = 0
        server.status, server.cut = self._before, self._after

    def _before(self, method: str, path: str) -> int:
        self._count += 1
        if self.left is None and self._moment == "before" and self._count == self._at:
            self.left = self._path.read_bytes()
        return 200 if self.left is None else 503

    def _after(self, method: str, path: str) -> bool:
        if self.left is None and self._count == self._at:
            self.left = self._path.read_bytes()
        return self.left is not None


async def killed(server: BatchServer, dialect: str, path: Path, *, at: int, moment: str) -> bool:
    """Begin a run that is killed at a step; return whether it had so many."""
    kill = Killed(server, path, at=at, moment=moment)
    run = asyncio.ensure_future(answer_all(server, dialect, path))
    await until(lambda: kill.left is not None or run.done())
    run.cancel()
    with suppress(asyncio.CancelledError, FlashliteError):
        await run
    if kill.left is not None:
        write(path, kill.left.decode())
    server.status, server.cut = (lambda method, path: 200), (lambda method, path: False)
    return kill.left is not None


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("dialect", MODELS)
async def test_a_kill_at_any_exchange_with_the_provider(
    tmp_path: Path, dialect: str, moment: str
) -> None:
    steps = 0
    for at in range(1, 40):
        path = tmp_path / f"{at}.jsonl"
        with BatchServer(looks=1) as server:
            if not await killed(server, dialect, path, at=at, moment=moment):
                break
            check(server, await answer_all(server, dialect, path), path)
        steps += 1
    assert steps >= 6


@pytest.mark.parametrize("dialect", MODELS)
async def test_a_run_that_is_killed_again_and_again(tmp_path: Path, dialect: str) -> None:
    for seed in range(5):
        chance, path = random.Random(seed), tmp_path / f"{seed}.jsonl"
        with BatchServer(
            looks=chance.randrange(1, 4),
            fate=lambda prompt, time: "expire" if prompt == "q3" and time == 1 else "answer",
        ) as server:
            for _ in range(4):
                moment = chance.choice(["before", "after"])
                await killed(server, dialect, path, at=chance.randrange(1, 9), moment=moment)
            check(server, await answer_all(server, dialect, path), path)


@pytest.mark.parametrize("dialect", MODELS)
async def test_a_disk_that_is_full_at_any_line_of_the_file(tmp_path: Path, dialect: str) -> None:
    whole = tmp_path / "whole.jsonl"
    with BatchServer(looks=1) as server:
        await answer_all(server, dialect, whole)
    size = 0
    for number, line in enumerate(whole.read_bytes().splitlines(keepends=True)):
        path = tmp_path / f"{number}.jsonl"
        with BatchServer(looks=1) as server:
            with disk_of(size + 10), pytest.raises(FlashliteError):
                await answer_all(server, dialect, path)
            check(server, await answer_all(server, dialect, path), path)
        size += len(line)


@pytest.mark.parametrize("dialect", MODELS)
async def test_other_jobs_of_the_account_are_left_alone(tmp_path: Path, dialect: str) -> None:
    """Somebody else's jobs have as many requests, were begun at the same time, and come first."""
    path = tmp_path / "run.jsonl"
    with BatchServer(looks=1, page=2) as server:
        await killed(server, dialect, path, at=3, moment="after")
        for number in range(5):
            others = tmp_path / f"{number}.jsonl"
            await answer_all(server, dialect, others)
        server.bill.subtract(PROMPTS * 5)
        check(server, await answer_all(server, dialect, path), path)


@pytest.mark.parametrize("dialect", MODELS)
async def test_a_clock_that_is_hours_ahead_hides_no_job(tmp_path: Path, dialect: str) -> None:
    path = tmp_path / "run.jsonl"
    with BatchServer(looks=1) as server:
        await killed(server, dialect, path, at=FIRST_JOB[dialect], moment="after")
        server.jobs[0].created -= 14 * 3600
        check(server, await answer_all(server, dialect, path), path)


async def test_others_jobs_may_have_any_ids_and_may_go_away(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with BatchServer(looks=1) as server:
        await killed(server, "anthropic", path, at=1, moment="after")
        size = len(server.jobs[0].lines)
        for _ in range(3):
            await answer_all(server, "anthropic", tmp_path / f"{len(server.jobs)}.jsonl")
        ours, *others = server.jobs
        server.bill = Counter(line["params"]["messages"][-1]["content"] for line in ours.lines)
        strange, gone, _ = (job for job in others if len(job.lines) == size)
        strange.results = [{"custom_id": "", "result": {"type": "succeeded"}}]

        def status(method: str, path: str) -> int:
            return 404 if path.endswith(gone.id) or f"{gone.id}/" in path else 200

        server.status = status
        check(server, await answer_all(server, "anthropic", path), path)


@pytest.mark.parametrize("seed", range(REAL_KILLS))
@pytest.mark.parametrize("dialect", MODELS)
async def test_a_process_that_is_killed(tmp_path: Path, dialect: str, seed: int) -> None:
    path, chance = tmp_path / "run.jsonl", random.Random(f"{dialect}{seed}")
    at, exchanges = chance.randrange(1, 6), 0

    def cut(method: str, where: str) -> bool:
        nonlocal exchanges
        exchanges += 1
        if exchanges == at:
            child.kill()
        return exchanges == at

    with BatchServer(looks=1, cut=cut) as server:
        with start(server, dialect, path) as child:
            assert child.stdout is not None
            in_hand = await asyncio.to_thread(child.stdout.readlines)
        assert len(in_hand) <= kinds(path).count("answer")
        check(server, await answer_all(server, dialect, path), path)
