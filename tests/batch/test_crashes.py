"""Killed at any moment: nothing that was answered is asked again, nothing is missing or double.

`FLASHLITE_TEST_KILLS` says how many kills there are.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashlite import (
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    Flashlite,
    StoreError,
    run_batch,
)
from flashlite.batch.checkpoint import Checkpoint
from flashlite.testing import MockServer

from .child import questions
from .files import kinds, lines

CHILD = Path(__file__).with_name("child.py")
KILLS = int(os.environ.get("FLASHLITE_TEST_KILLS", "20"))
IN_A_ROW = 5
QUESTIONS = questions(60)


def start(server: MockServer, checkpoint: Path, count: int) -> subprocess.Popen[str]:
    """Start a batch in a process of its own."""
    command = [sys.executable, str(CHILD), server.base_url, str(checkpoint), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(server: MockServer, checkpoint: Path, *, after: int) -> Counter[str]:
    """Kill a batch when so many answers are in hand; return what they were answers to."""
    with start(server, checkpoint, len(QUESTIONS)) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(after)]
        child.kill()
        said += child.stdout.read().splitlines(keepends=True)
    return Counter(QUESTIONS[int(line)] for line in said if line.endswith("\n"))


@contextmanager
def writing(server: MockServer, checkpoint: Path) -> Iterator[None]:
    """Have another process write a checkpoint, and kill it."""
    with start(server, checkpoint, 100_000) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield
        finally:
            child.kill()
            child.stdout.read()


def on_file(checkpoint: Path, kind: str) -> Counter[str]:
    """Count the lines of a kind by their questions; a torn line is none."""
    if not checkpoint.exists():
        return Counter()
    whole = checkpoint.read_bytes().rpartition(b"\n")[0]
    found = lines(whole)
    return Counter(QUESTIONS[line["position"]] for line in found if line["kind"] == kind)


@pytest.mark.parametrize("seed", range(-(-KILLS // IN_A_ROW)))
async def test_a_batch_that_is_killed_again_and_again_pays_for_nothing_twice_unseen(
    tmp_path: Path, seed: int
) -> None:
    chance, path = random.Random(seed), tmp_path / "run.jsonl"
    with MockServer() as server:
        for _ in range(IN_A_ROW):
            in_hand = kill(server, path, after=chance.randrange(len(QUESTIONS)))
            assert in_hand <= on_file(path, "answer")
        async with Flashlite("openai/echo?latency=0.004", base_url=server.base_url) as client:
            batch = run_batch(client, QUESTIONS, checkpoint=path)
            answers = await batch
        billed = Counter(request.body["messages"][0]["content"] for request in server.requests)
    assert [answer.content for answer in answers] == QUESTIONS
    assert on_file(path, "answer") == Counter(QUESTIONS)
    assert Counter(QUESTIONS) <= billed <= Counter(QUESTIONS) + on_file(path, "lost")
    assert batch.lost == on_file(path, "lost").total() <= IN_A_ROW * 5


async def test_a_process_that_writes_a_checkpoint_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    refused = pytest.raises(ConfigError, match="is being written by another batch")
    with MockServer() as server, writing(server, path), refused:
        await run_batch(Flashlite("mock/echo"), ["a"], checkpoint=path)
    [answer] = await run_batch(Flashlite("mock/echo"), ["a"], checkpoint=path)
    assert answer.content == "a"


async def test_a_kill_at_any_byte_of_the_file_can_be_gone_on_from(tmp_path: Path) -> None:
    """A file is only ever appended to, so what a kill leaves is the beginning of what there was."""
    path, asked = tmp_path / "run.jsonl", list[str]()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        asked.append(request.messages[-1].text)
        return CompletionResponse.of(asked[-1])

    client, requests = Flashlite("m", provider=provider), ["a", "b", "a"]
    await run_batch(client, requests, checkpoint=path, max_concurrency=2)
    content = path.read_bytes()
    for cut in range(0, len(content), 5):
        path.write_bytes(content[:cut])
        whole = content[: content.rfind(b"\n", 0, cut + 1) + 1]  # or nothing but its end is gone
        left = Counter(line["kind"] for line in lines(whole))
        asked.clear()
        batch = run_batch(client, requests, checkpoint=path)
        assert [answer.content for answer in await batch] == requests
        done, lost = left["answer"], left["intent"] - left["answer"]
        assert (batch.restored, batch.lost, len(asked)) == (done, lost, 3 - done), cut
        assert kinds(path).count("answer") == 3


def test_a_kill_while_it_is_noted_what_was_lost_counts_nothing_twice(tmp_path: Path) -> None:
    path, item = tmp_path / "run.jsonl", "a" * 64
    killed = Checkpoint(path)
    for position in (0, 0, 0, 1):
        killed.intend(item, position)
    killed.close()
    for _ in range(2):
        again = Checkpoint(path)
        again.close()
        assert (again.lost, kinds(path)) == (4, ["intent"] * 4 + ["lost"] * 4)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


async def test_an_answer_that_lacks_only_its_line_feed_counts(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    await run_batch(Flashlite("mock/echo"), ["a"], checkpoint=path)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    batch = run_batch(Flashlite("mock/echo"), ["a", "b"], checkpoint=path)
    assert [answer.content for answer in await batch] == ["a", "b"]
    assert (batch.restored, kinds(path)) == (1, ["intent", "answer", "intent", "answer"])


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_stops_the_batch_and_loses_nothing_that_was_paid_for(
    tmp_path: Path,
) -> None:
    path, asked = tmp_path / "run.jsonl", list[str]()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        text = request.messages[-1].text
        asked.append(text)
        await asyncio.sleep(0)
        return CompletionResponse.of(text * 400)

    client, requests = Flashlite("m", provider=provider), list("abcdefgh")
    with disk_of(2000), pytest.raises(StoreError, match=r"run\.jsonl: File too large") as raised:
        await run_batch(client, requests, checkpoint=path, max_concurrency=3)
    answers = {n: answer.content for n, answer in raised.value.answers.items()}
    assert answers == {n: text * 400 for n, text in enumerate(requests) if text in asked}
    assert len(asked) < len(requests)
    assert path.read_bytes().endswith(b"}\n")
    again = await run_batch(client, requests, checkpoint=path)
    assert [answer.content for answer in again] == [text * 400 for text in requests]
