"""Actors that are killed: what was answered is not paid for again, and nothing is missing.

`FLASHLITE_TEST_RAY_REQUESTS` says how many requests the long run has, `FLASHLITE_TEST_RAY_PACE` how
much of the ideal pace it is to reach: 0.9 on a machine that has nothing else to do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path

import pytest

from flashlite import Flashlite, FlashliteError
from flashlite.batch.actor_journals import ActorJournals
from flashlite.ray import Ray

from ..batch.files import folder, kinds
from .child import questions
from .providers import Mortal
from .server import ServerProcess, latency_server

pytestmark = pytest.mark.usefixtures("ray_address")

REQUESTS = int(os.environ.get("FLASHLITE_TEST_RAY_REQUESTS", "1500"))
PACE = float(os.environ.get("FLASHLITE_TEST_RAY_PACE", "0.5"))
LATENCY, AT_ONCE = 0.2, 25


def writers(checkpoint: Path) -> list[int]:
    """Return the processes of the actors that write journals, as the kernel knows them."""
    journals = {str(path.stat().st_ino) for path in ActorJournals(checkpoint).paths()}
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return [int(lock[4]) for lock in locks if lock[5].rpartition(":")[2] in journals]


@pytest.mark.timeout(600)
async def test_two_actors_keep_their_pace_and_the_bill_when_one_is_killed(tmp_path: Path) -> None:
    path, asked = tmp_path / "run.jsonl", [f"question {n}" for n in range(REQUESTS)]
    answered, times = Counter[str](), list[float]()
    with latency_server(LATENCY) as server:
        client = Flashlite("openai/m", base_url=server.base_url, api_key="k")
        batch = client.batch(
            asked,
            checkpoint=path,
            engine=Ray(actors=2),
            max_concurrency=AT_ONCE,
            order="completion",
        )
        async with aclosing(batch):
            async for _, answer in batch:
                answered[answer.content] += 1
                times.append(time.monotonic())
                if len(times) == REQUESTS // 2:
                    first, _ = writers(path)
                    os.kill(first, signal.SIGKILL)
        bill = server.bill
    assert answered == Counter(asked)
    # What was on the wire to the killed actor may be billed twice, and nothing else is.
    again = bill - Counter(asked)
    assert Counter(asked) <= bill
    assert set(again.values()) <= {1}
    assert again.total() <= batch.lost == kinds(path).count("lost") <= AT_ONCE
    assert folder(path) == [path]
    pace, ideal = REQUESTS / (times[-1] - times[0] + LATENCY), AT_ONCE / LATENCY
    print(f"{pace:.0f} a second, {pace / ideal:.1%} of the ideal; {again.total()} paid twice")  # noqa: T201
    assert pace >= PACE * ideal


async def test_an_answer_that_was_not_reported_is_taken_from_the_journal(tmp_path: Path) -> None:
    provider = Mortal(folder=tmp_path, before_report="b")
    client, asked = Flashlite("m", provider=provider), ["a", "b", "c"]
    batch = client.batch(
        asked, checkpoint=tmp_path / "run.jsonl", engine=Ray(actors=1), max_concurrency=1
    )
    assert [answer.content for answer in await batch] == asked
    assert (provider.bill, batch.lost) == (Counter(asked), 0)
    assert client.ledger.total.requests == 3


async def test_a_request_that_was_on_the_wire_is_sent_again_and_counted(tmp_path: Path) -> None:
    provider, path = Mortal(folder=tmp_path, on_wire="b"), tmp_path / "run.jsonl"
    client, asked = Flashlite("m", provider=provider), ["a", "b", "c"]
    batch = client.batch(asked, checkpoint=path, engine=Ray(actors=1), max_concurrency=1)
    answers = await batch
    assert [(answer.content, answer.lost) for answer in answers] == [("a", 0), ("b", 1), ("c", 0)]
    assert (provider.bill, batch.lost) == (Counter(["b", *asked]), 1)
    assert kinds(path) == [*_ONE, "intent", "lost", *_ONE, *_ONE]


_ONE = ("intent", "answer")


async def test_a_request_that_kills_every_actor_fails_alone(tmp_path: Path) -> None:
    provider, path = Mortal(folder=tmp_path, on_wire="b", deaths=3), tmp_path / "run.jsonl"
    client = Flashlite("m", provider=provider)
    batch = client.batch(
        ["a", "b", "c"],
        checkpoint=path,
        engine=Ray(actors=1),
        max_concurrency=1,
        return_exceptions=True,
    )
    one, two, three = await batch
    assert (one.content, three.content) == ("a", "c")
    assert isinstance(two, FlashliteError)
    assert str(two).startswith("3 actors died with this request, the last: ")


async def test_actors_that_cannot_live_end_the_batch(tmp_path: Path) -> None:
    provider = Mortal(folder=tmp_path, on_wire="a", deaths=100)
    batch = Flashlite("m", provider=provider).batch(
        ["a"] * 100, checkpoint=tmp_path / "run.jsonl", engine=Ray(actors=1), max_concurrency=1
    )
    with pytest.raises(FlashliteError, match="actors of Ray die before they answer"):
        await batch
    assert provider.bill == {"a": 5}


async def test_a_batch_that_is_killed_pays_for_nothing_twice_unseen(
    tmp_path: Path, ray_address: str
) -> None:
    path, asked = tmp_path / "run.jsonl", questions(200)
    with latency_server(0.05) as server:
        in_hand = kill(server, path, ray_address, after=60)
        client = Flashlite("openai/m", base_url=server.base_url, api_key="k")
        batch = client.batch(asked, checkpoint=path, engine="ray")
        answers = await batch
        bill = server.bill
    assert [answer.content for answer in answers] == asked
    assert batch.restored >= in_hand
    assert Counter(asked) <= bill
    assert (bill - Counter(asked)).total() <= batch.lost <= 20


def kill(server: ServerProcess, checkpoint: Path, ray_address: str, *, after: int) -> int:
    """Kill a batch when so many answers are in hand; return how many there were."""
    command = [sys.executable, "-m", "tests.on_ray.child", ray_address, server.base_url]
    command += [str(checkpoint), "200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(after)]
        child.kill()
        said += child.stdout.read().splitlines(keepends=True)
    return sum(line.endswith("\n") for line in said)
