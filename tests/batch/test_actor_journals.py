"""What actors had on file when their batch was killed, and what a batch on actors refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    Budget,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    Flashlite,
    RateLimit,
    RateLimitConfig,
    run_batch,
)
from flashlite.batch import Ray
from flashlite.batch.actor_journals import ActorJournals, left_behind
from flashlite.batch.checkpoint import Checkpoint
from flashlite.middleware import Concurrency

from .files import folder, kinds, read, write

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def sent(checkpoint: Checkpoint, *items: str) -> None:
    """Note that items were sent, in the order of their positions."""
    for position, item in enumerate(items):
        checkpoint.intend(item, position)


def journal(path: Path, number: int = 0) -> Checkpoint:
    """Return the journal of an actor, as it writes it."""
    return Checkpoint(ActorJournals(path).path(number))


def test_answers_of_actors_are_taken_over_and_the_rest_of_what_was_sent_is_lost(
    path: Path,
) -> None:
    whole = Checkpoint(path)
    sent(whole, A, B, C)
    whole.keep(CompletionResponse.of("first"), item=A, position=0)
    whole.close()
    actor = journal(path)
    for position, item in enumerate((A, B, C)):
        actor.intend(item, position)
    actor.keep(CompletionResponse.of("told already"), item=A, position=0)
    actor.keep(CompletionResponse.of("second"), item=B, position=1)
    actor.close()
    again = Checkpoint(path)
    found = [again.take(item) for item in (A, A, B, C)]
    texts = [
        None if place is None else again.read(place)["response"]["choices"][0]["message"]["content"]
        for place in found
    ]
    assert (texts, again.lost) == (["first", None, "second", None], 1)
    again.close()
    assert folder(path) == [path]
    assert kinds(path) == ["intent"] * 3 + ["answer"] * 2 + ["lost"]


def test_an_answer_to_something_else_at_the_same_place_is_not_taken(path: Path) -> None:
    whole = Checkpoint(path)
    sent(whole, A)
    whole.close()
    actor = journal(path)
    actor.keep(CompletionResponse.of("of an older list"), item=B, position=0)
    actor.close()
    again = Checkpoint(path)
    assert (again.take(A), again.take(B), again.lost) == (None, None, 1)
    again.close()


async def test_a_batch_without_ray_goes_on_from_what_actors_answered(path: Path) -> None:
    asked: list[str] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        asked.append(request.messages[-1].text)
        return CompletionResponse.of(asked[-1])

    client = Flashlite("m", provider=provider)
    await run_batch(client, ["a", "b"], checkpoint=path, max_concurrency=1)
    head, intent, answer, *others = read(path).splitlines(keepends=True)
    write(path, head + intent)
    place = ActorJournals(path).path(0)
    place.parent.mkdir()
    write(place, head + intent + answer + others[0][:20])  # killed while it wrote a line
    asked.clear()
    batch = run_batch(client, ["a", "b"], checkpoint=path)
    assert [one.content for one in await batch] == ["a", "b"]
    assert (asked, batch.restored, batch.lost) == (["b"], 1, 0)


def test_what_a_dead_actor_left_tells_answers_from_what_was_only_sent(path: Path) -> None:
    actor = journal(path)
    for position, item in enumerate((A, B, C)):
        actor.intend(item, position)
    actor.keep(CompletionResponse.of("x"), item=A, position=0)
    actor.fail(ConfigError("no"), item=B, position=1)
    actor.close()
    left = left_behind(actor.path, {0, 1, 2, 3})
    assert {position: line and line["kind"] for position, line in left.items()} == {
        0: "answer",
        2: None,
    }
    assert left_behind(actor.path, {1, 3}) == {}


def test_a_journal_is_read_when_its_actor_has_come_to_its_end(path: Path) -> None:
    actor = journal(path)
    actor.intend(A, 0)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(left_behind, actor.path, {0})
        actor.keep(CompletionResponse.of("late"), item=A, position=0)
        actor.close()
        [(position, line)] = reading.result().items()
    assert (position, line and line["kind"]) == (0, "answer")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget_limit": 1.0}, r"each process .* budget_limit=Budget\(\.\.\., pool=\.\.\.\)"),
        (
            {"rate_limit": RateLimitConfig(requests_per_minute=60)},
            r"each process .* rate_limit=RateLimit\(\.\.\., pool=\.\.\.\)",
        ),
        ({"middleware": [lambda request, call_next: call_next(request)]}, "without middleware="),
        ({"middleware": [Concurrency(1)]}, "without middleware="),
    ],
)
def test_what_each_actor_would_have_for_itself_is_refused(
    path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Flashlite("mock/echo", **options).batch(["a"], checkpoint=path, engine="ray")


def test_shared_limits_a_shared_budget_and_learned_limits_are_taken(path: Path) -> None:
    pool = f"sqlite:{path}.db"
    config = RateLimitConfig(requests_per_minute=60)
    learned = RateLimitConfig(auto_detect=True)
    Flashlite(
        "mock/echo", budget_limit=Budget(1, pool=pool), rate_limit=RateLimit(config, pool=pool)
    ).batch(["a"], checkpoint=path, engine="ray")
    Flashlite("mock/echo", rate_limit=learned).batch(["a"], checkpoint=path, engine=Ray(actors=3))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"engine": "spark"}, "engine is 'ray', a Ray"),
        ({"engine": "ray", "mode": "provider"}, "jobs at a provider have no use for actors"),
    ],
)
def test_an_engine_that_makes_no_sense_is_refused(
    path: Path, how: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Flashlite("mock/echo").batch(["a"], checkpoint=path, **how)


def test_there_is_at_least_one_actor() -> None:
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        Ray(actors=0)
