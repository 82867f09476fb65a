"""Answering a question that says the same as one that was answered, and saying so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import (
    BudgetExceededError,
    CacheMiss,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    EmbeddingResult,
    Flashlite,
    Message,
    QdrantCache,
    StoreError,
    Usage,
)
from flashlite.testing import MockServer, ScriptedProvider

FRANCE, TOWN = "What is the capital of France?", "What is the capital city of France?"
PAID = Usage(input_tokens=10, output_tokens=5, total_cost=0.5, input_cost=0.2, output_cost=0.3)
HASHED = Flashlite("mock/echo").embed


def client(*answers: Any, **options: Any) -> tuple[Flashlite, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    store = QdrantCache(path=":memory:", **{"embed": HASHED, "threshold": 0.9, **options})
    return Flashlite("m", provider=provider, cache=store, temperature=0), provider


async def test_a_hit_by_likeness_says_what_was_answered_and_how_alike_it_is() -> None:
    engine, provider = client(CompletionResponse.of("Paris", usage=PAID))
    await engine.complete(FRANCE)
    similar, exact = await engine.complete(TOWN), await engine.complete(FRANCE)
    assert (similar.content, similar.cached, similar.cost) == ("Paris", True, 0.0)
    assert similar.lineage is not None
    assert exact.lineage is not None
    assert similar.lineage == {
        **exact.lineage,
        "similarity": pytest.approx(0.93, abs=0.01),
        "question": FRANCE,
    }
    assert set(exact.lineage) == {"key", "created", "cost"}
    assert len(provider.requests) == 1


async def test_the_statistics_tell_similar_hits_and_what_embeddings_cost() -> None:
    engine, _ = client("Paris", "Rome")
    for question in (FRANCE, TOWN, FRANCE, "What is the capital of Italy?"):
        await engine.complete(question)
    stats = await engine.cache_stats()
    assert stats.pop("bytes") > 100
    assert stats == {
        "hits": 2,
        "similar": 1,
        "misses": 2,
        "hit_rate": 0.5,
        "shared": 0,
        "stored": 2,
        "entries": 2,
        "embeddings": 3,
        "embedding_cost": 0.0,
    }
    assert await engine.clear_cache() == 2


@pytest.mark.parametrize(
    "options",
    [
        {"sample": 0},
        {"sample": 1},
        {"n": 2},
        {"model": "n"},
        {"temperature": 1},
        {"max_tokens": 5},
        {"seed": 1},
        {"tools": [{"name": "add"}]},
        {"extra_body": {"top_a": 1}},
        {"response_format": {"type": "json_object"}},
        {"cache_collection": "other"},
        {"cache": "off"},
        {"cache": "refresh"},
    ],
)
async def test_nothing_but_the_words_may_differ(options: dict[str, Any]) -> None:
    engine, provider = client("Paris", "again")
    await engine.complete(FRANCE)
    answer = await engine.complete(TOWN, **options)
    assert (answer.content, answer.cached, len(provider.requests)) == ("again", False, 2)


@pytest.mark.parametrize(
    "before",
    [
        [Message.system("Be brief.")],
        [Message.user("Hi"), Message.assistant("Hello")],
    ],
)
async def test_what_stands_before_the_question_has_to_be_the_same(before: list[Message]) -> None:
    engine, _ = client("Paris", "again", "and again")
    await engine.complete(FRANCE)
    assert not (await engine.complete([*before, Message.user(TOWN)])).cached


async def test_samples_are_draws_of_their_own_question_alone() -> None:
    engine, _ = client("1", "2", "3", "4")
    answers = [await engine.complete(text, sample=n) for text in (FRANCE, TOWN) for n in (0, 1)]
    assert [answer.content for answer in answers] == ["1", "2", "3", "4"]
    again = await engine.complete(TOWN, sample=1)
    assert (again.content, again.lineage and "similarity" in again.lineage) == ("4", False)
    assert (await engine.cache_stats())["embeddings"] == 0


async def test_a_replay_takes_no_likeness_for_the_same() -> None:
    engine, _ = client("Paris")
    await engine.complete(FRANCE)
    with pytest.raises(CacheMiss, match="differs in 1 field"):
        await engine.complete(TOWN, cache="only")
    assert (await engine.complete(FRANCE, cache="only")).cached


async def test_a_similar_answer_is_not_stored_as_the_questions_own() -> None:
    engine, _ = client("Paris")
    await engine.complete(FRANCE)
    for _ in range(2):
        answer = await engine.complete(TOWN)
        assert answer.lineage is not None
        assert answer.lineage["question"] == FRANCE
    assert (await engine.cache_stats())["entries"] == 1


async def test_who_waits_for_a_similar_answer_is_told_too() -> None:
    gate = asyncio.Event()

    async def embed(texts: list[str]) -> EmbeddingResult:
        await gate.wait()
        return await HASHED(texts)

    engine, provider = client("Paris", embed=embed)
    gate.set()
    await engine.complete(FRANCE)
    gate.clear()
    calls = [asyncio.create_task(engine.complete(TOWN)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*calls)
    assert [answer.lineage and answer.lineage["question"] for answer in answers] == [FRANCE] * 3
    stats = await engine.cache_stats()
    assert (stats["similar"], stats["shared"], stats["hits"]) == (3, 2, 3)
    assert len(provider.requests) == 1


async def test_a_similar_answer_is_played_as_a_stream() -> None:
    engine, _ = client("Paris")
    await engine.complete(FRANCE)
    events = [event async for event in engine.stream(TOWN)]
    assert events[-1].data.lineage["question"] == FRANCE


class Town(BaseModel):
    name: str


async def test_a_similar_answer_has_to_fit_the_response_model() -> None:
    engine, provider = client('{"name": "Paris"}', '{"name": "Rome"}')
    await engine.complete(FRANCE, response_model=Town)
    answer = await engine.ask(TOWN, response_model=Town)
    assert (answer.parsed, answer.cached) == (Town(name="Paris"), True)
    plain = await engine.ask(TOWN)
    assert (plain.content, len(provider.requests)) == ('{"name": "Rome"}', 2)


async def test_the_ledger_counts_a_similar_answer_as_saved_and_the_embeddings_as_paid() -> None:
    class Both:
        """Answers and embeds, each at its price."""

        async def __call__(self, request: CompletionRequest) -> CompletionResponse:
            if request.api == "embeddings":
                return EMBEDDED
            return CompletionResponse.of("Paris", usage=PAID)

    spent = Usage(input_tokens=2, input_cost=0.01, output_cost=0.0, total_cost=0.01)
    vector = Message.assistant(embedding=[1.0, 2.0])
    EMBEDDED = CompletionResponse.of(usage=spent)
    EMBEDDED.choices = (type(EMBEDDED.choices[0])(message=vector, finish_reason="stop"),)

    engine: Flashlite
    store = QdrantCache(path=":memory:", embed=lambda texts: engine.embed(texts, model="e"))
    engine = Flashlite("m", provider=Both(), cache=store, temperature=0)
    for question in (FRANCE, TOWN, FRANCE):
        await engine.complete(question)
    report = engine.get_cost_report()
    assert (report["total_cost_usd"], report["saved_usd"]) == (0.52, 1.0)
    assert {name: account["cost_usd"] for name, account in report["by_model"].items()} == {
        "m": 0.5,
        "e": 0.02,
    }
    stats = await engine.cache_stats()
    assert (stats["embeddings"], stats["embedding_cost"]) == (2, 0.02)


async def test_without_embeddings_calls_are_asked_and_found_by_their_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "flashlite.cache")
    embedder = Flashlite("mock/echo?status=401")
    engine, _ = client("Paris", "the same", embed=embedder.embed)
    answers = [await engine.complete(text) for text in (FRANCE, TOWN, FRANCE, TOWN)]
    assert [(answer.content, answer.cached) for answer in answers] == [
        ("Paris", False),
        ("the same", False),
        ("Paris", True),
        ("the same", True),
    ]
    assert caplog.messages == [
        "the cache cannot be used, every call is asked: the question cannot be embedded: "
        "mock/echo?status=401: the mock was told to answer 401 (status 401)"
    ]


async def test_where_it_is_required_a_question_that_cannot_be_embedded_is_not_asked() -> None:
    embedder = Flashlite("mock/echo?status=401")
    engine, provider = client("Paris", embed=embedder.embed, required=True)
    with pytest.raises(StoreError, match="the question cannot be embedded"):
        await engine.complete(FRANCE)
    assert provider.requests == []


async def test_a_mistake_in_the_embedding_is_said_before_anything_is_sent() -> None:
    def bare(texts: list[str]) -> list[float]:
        return [1.0, 2.0]

    options: dict[str, Any] = {"embed": bare}
    engine, provider = client("Paris", **options)
    with pytest.raises(ConfigError, match="embed returns one vector for each text"):
        await engine.complete(FRANCE)
    assert provider.requests == []


async def test_an_embedding_beyond_the_budget_is_no_reason_to_go_beyond_it() -> None:
    async def embed(texts: list[str]) -> list[list[float]]:
        raise BudgetExceededError("spent", limit=1, spent=1, needed=1)

    engine, provider = client("Paris", embed=embed)
    assert (await engine.complete(FRANCE)).content == "Paris"
    assert len(provider.requests) == 1


async def test_a_real_host_embeds_once_for_each_new_question(mock_server: MockServer) -> None:
    options: Any = {"base_url": mock_server.base_url, "api_key": "k-0123456789"}
    embedder = Flashlite("openai/echo", **options)
    store = QdrantCache(path=":memory:", embed=embedder.embed, threshold=0.9)
    async with Flashlite("openai/echo", cache=store, temperature=0, **options) as engine:
        for question in (FRANCE, TOWN, FRANCE):
            await engine.complete(question)
    await embedder.aclose()
    assert [request.path for request in mock_server.requests] == [
        "/v1/embeddings",
        "/v1/chat/completions",
        "/v1/embeddings",
    ]
    assert mock_server.requests[2].body == {"model": "echo", "input": [TOWN]}


async def test_a_hundred_questions_at_once() -> None:
    class Echo:
        def __init__(self) -> None:
            self.count = 0

        async def __call__(self, request: CompletionRequest) -> CompletionResponse:
            self.count += 1
            return CompletionResponse.of(request.messages[-1].text)

    store = QdrantCache(path=":memory:", embed=HASHED, threshold=0.99)
    engine = Flashlite("m", provider=(provider := Echo()), cache=store, temperature=0)
    texts = [f"What is {number % 50} plus one?" for number in range(100)]
    ask: Callable[[str], Any] = engine.complete
    answers = await asyncio.gather(*map(ask, texts))
    assert [answer.content for answer in answers] == texts
    assert provider.count == 50
