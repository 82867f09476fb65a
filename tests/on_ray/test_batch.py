"""Batches on actors: what they share, what stays with the client, what travels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel

from flashlite import (
    AuthenticationError,
    Budget,
    BudgetExceededError,
    CallbackManager,
    ConfigError,
    Flashlite,
    FSCache,
    MemoryCache,
)
from flashlite.ray import Ray

from .server import latency_server

ONE = Ray(actors=1)

pytestmark = pytest.mark.usefixtures("ray_address")


class Named(BaseModel):
    name: str


async def test_answers_come_in_order_and_the_client_counts_them(tmp_path: Path) -> None:
    told: list[str | None] = []
    callbacks = CallbackManager()
    callbacks.on_response(lambda response, *_: told.append(response.content))
    client = Flashlite("mock/echo", callbacks=callbacks)
    asked = [f"question {n}" for n in range(20)]
    answers = await client.batch(asked, checkpoint=tmp_path / "run.jsonl", engine=ONE)
    assert [answer.content for answer in answers] == asked
    assert Counter(told) == Counter(asked)
    assert client.ledger.total.requests == 20


async def test_an_instance_of_a_model_comes_back_as_one(tmp_path: Path) -> None:
    requests = [{"messages": '{"name": "Ada"}', "response_model": Named}]
    client = Flashlite("mock/echo")
    [answer] = await client.batch(requests, checkpoint=tmp_path / "run.jsonl", engine=ONE)
    assert answer == Named(name="Ada")


async def test_a_wrong_key_ends_the_batch_with_the_servers_own_words(tmp_path: Path) -> None:
    with latency_server(0.01) as server:
        client = Flashlite("openai/m", base_url=server.base_url, api_key="k")
        batch = client.batch(["refuse"] * 500, checkpoint=tmp_path / "run.jsonl", engine=ONE)
        with pytest.raises(AuthenticationError, match="no such key") as raised:
            await batch
        assert server.bill.total() <= 200
    assert (raised.value.status_code, raised.value.code) == (401, "invalid_api_key")


async def test_all_actors_together_keep_to_one_budget_and_one_cache(tmp_path: Path) -> None:
    budget = Budget(0.001, pool=f"sqlite:{tmp_path / 'pool.db'}")
    asked = [f"question {n}" for n in range(40)]
    with latency_server(0.01) as server:
        client = Flashlite(
            "openai/gpt-4o",
            base_url=server.base_url,
            api_key="k",
            max_tokens=10,
            budget_limit=budget,
            cache=FSCache(tmp_path / "cache"),
        )
        with pytest.raises(BudgetExceededError) as raised:
            await client.batch(asked, checkpoint=tmp_path / "run.jsonl", engine="ray")
        paid = server.bill.total()
        assert 0 < client.total_cost <= raised.value.limit == 0.001
        hits = Flashlite(
            "openai/gpt-4o",
            base_url=server.base_url,
            api_key="k",
            max_tokens=10,
            cache=FSCache(tmp_path / "cache"),
        )
        stored = [question for question in asked if server.bill[question]]
        await hits.batch(stored, checkpoint=tmp_path / "again.jsonl", engine=ONE)
        assert (server.bill.total(), len(stored), hits.ledger.total.cached) == (paid, paid, paid)


async def test_a_cache_that_cannot_travel_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    client = Flashlite("mock/echo", cache=MemoryCache())
    with pytest.raises(ConfigError, match="a store in memory never can"):
        await client.batch(["a"], checkpoint=tmp_path / "run.jsonl", engine=ONE)
