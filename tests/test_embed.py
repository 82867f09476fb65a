"""Texts to vectors through the whole client: splitting, order, failures, and every layer."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    BadRequestError,
    Budget,
    BudgetExceededError,
    CacheMiss,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    EmbeddingResult,
    Flashlite,
    MalformedResponseError,
    MemoryCache,
    Message,
    RateLimit,
    RateLimitConfig,
    StructuredLogger,
    Usage,
)
from flashlite.middleware import RetryConfig
from flashlite.middleware.token_estimate import TokenEstimate, measure
from flashlite.middleware.worst_case import worst_case
from flashlite.providers import Router
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider
from flashlite.types import Choice, Target

MODEL = "openai/text-embedding-3-small"


class Lengths:
    """A provider whose vectors are the lengths of the texts; it keeps the requests it got."""

    def __init__(self, *, most: int = 2048, fails_on: str | None = None) -> None:
        self.requests: list[CompletionRequest] = []
        self._most = most
        self._fails_on = fails_on

    def target(self, request: CompletionRequest) -> Target:
        return Target(provider="x", dialect="x", model=request.model, max_inputs=self._most)

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.requests.append(request)
        texts = [message.text for message in request.messages]
        if self._fails_on in texts:
            raise BadRequestError("too long")
        vectors = [Message.assistant(embedding=[len(text)]) for text in texts]
        choices = tuple(Choice(message=vector, finish_reason="stop") for vector in vectors)
        usage = Usage(input_tokens=len(texts), input_cost=1.0, output_cost=0.0, total_cost=1.0)
        return CompletionResponse(choices=choices, usage=usage)


def embeddings(*vectors: Any, tokens: int = 5) -> Reply:
    data = [{"index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    return Reply.of({"data": data, "model": "m", "usage": {"prompt_tokens": tokens}})


async def test_one_text_is_one_vector() -> None:
    result = await Flashlite("m", provider=Lengths()).embed("abc")
    assert result == EmbeddingResult(
        embeddings=[[3.0]],
        model="m",
        usage=Usage(input_tokens=1, input_cost=1.0, output_cost=0.0, total_cost=1.0),
    )
    assert (result.embedding, result.cost, result.cached) == ([3.0], 1.0, False)


async def test_a_list_is_split_by_what_the_host_takes_and_put_together_in_order() -> None:
    provider = Lengths(most=3)
    texts = ["x" * n for n in range(1, 9)]
    result = await Flashlite("m", provider=provider).embed(iter(texts))
    assert result.embeddings == [[float(n)] for n in range(1, 9)]
    assert sorted(len(request.messages) for request in provider.requests) == [2, 3, 3]
    assert result.usage == Usage(input_tokens=8, input_cost=3.0, output_cost=0.0, total_cost=3.0)
    assert len({request.id for request in provider.requests}) == 3


async def test_a_request_has_no_more_bytes_than_openai_takes_tokens() -> None:
    provider = Lengths()
    texts = ["ä" * 75_000, "b" * 150_000, "c", "d" * 400_000, "e"]
    result = await Flashlite("m", provider=provider).embed(texts)
    assert result.embeddings == [[float(len(text))] for text in texts]
    assert [len(request.messages) for request in provider.requests] == [2, 1, 1, 1]


async def test_a_failure_hands_back_what_was_paid_for() -> None:
    provider = Lengths(most=2, fails_on="late")
    with pytest.raises(BadRequestError) as caught:
        await Flashlite("m", provider=provider).embed(["a", "bb", "ccc", "late"])
    assert caught.value.answers == {0: [1.0], 1: [2.0]}  # type: ignore[attr-defined]


async def test_a_request_says_what_it_is_and_carries_no_option_of_completions() -> None:
    provider = Lengths()
    client = Flashlite(
        "m",
        provider=provider,
        temperature=0.5,
        tools=[{"name": "f"}],
        fallbacks=["other"],
        extra_body={"top_k": 1},
        tags=["t"],
        timeout=7,
    )
    await client.embed(["a"], dimensions=8, encoding_format=None, agent="me")
    (request,) = provider.requests
    assert (request.api, request.model, request.messages) == (
        "embeddings",
        "m",
        (Message.user("a"),),
    )
    assert (dict(request.params), request.tools, request.fallbacks) == ({"dimensions": 8}, (), ())
    assert (dict(request.extra_body), request.tags, request.agent, request.timeout.total) == (
        {},
        ("t",),
        "me",
        7,
    )


@pytest.mark.parametrize(
    ("inputs", "options", "why"),
    [
        ([], {}, "no texts to embed"),
        ("", {}, "number 0 is ''"),
        (["a", ""], {}, "number 1 is ''"),
        (["a", 3], {}, "number 1 is 3"),
        ([["a"]], {}, "number 0 is"),
        (None, {}, "embed takes a text or a list of texts"),
        (b"a", {}, "embed takes a text or a list of texts"),
        ({"role": "user"}, {}, "embed takes a text or a list of texts"),
        ("a", {"dimensions": 0}, "dimensions is a whole number of at least 1"),
        ("a", {"dimensions": True}, "dimensions is a whole number of at least 1"),
        ("a", {"dimensions": "8"}, "dimensions is a whole number of at least 1"),
        ("a", {"encoding_format": "hex"}, "encoding_format is 'float' or 'base64'"),
        ("a", {"temperature": 0}, "unknown parameter 'temperature'"),
        ("a", {"fallbacks": ["m"]}, "unknown parameter 'fallbacks'"),
        ("a", {"cache": "only"}, "this client has no cache"),
        ("a", {"cache": "maybe"}, "cache is one of"),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_is_sent(
    inputs: Any, options: Any, why: str
) -> None:
    provider = Lengths()
    with pytest.raises(ConfigError, match=why):
        await Flashlite("m", provider=provider).embed(inputs, **options)
    assert provider.requests == []


async def test_a_model_is_needed() -> None:
    with pytest.raises(ConfigError, match="no model given"):
        await Flashlite(provider=Lengths()).embed("a")


async def test_a_provider_that_writes_text_instead_is_malformed() -> None:
    with pytest.raises(MalformedResponseError, match="not an embedding"):
        await Flashlite("m", provider=ScriptedProvider(["Hello"])).embed("a")


def test_embed_sync_does_the_same() -> None:
    assert Flashlite("m", provider=Lengths()).embed_sync(["a", "bb"]).embeddings == [[1.0], [2.0]]


async def test_the_cache_gives_the_same_vectors_for_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    packed = "AACAPwAAIMA="
    transport = ReplayTransport([embeddings(packed)])
    client = Flashlite(MODEL, api_key="k", transport=transport, cache=MemoryCache())
    with caplog.at_level(logging.WARNING):
        first = await client.embed("a", encoding_format="base64")
        second = await client.embed("a", encoding_format="base64")
    assert (first.embeddings, first.cached, first.cost) == ([[1.0, -2.5]], False, 1e-07)
    assert (second.embeddings, second.cached, second.cost) == ([[1.0, -2.5]], True, 0.0)
    assert (second.model, second.raw, len(transport.requests)) == ("m", (), 1)
    assert caplog.messages == []  # vectors of one text are the same each time
    with pytest.raises(CacheMiss):
        await client.embed("b", cache="only")


async def test_an_answer_that_lacks_a_vector_is_asked_for_again_and_never_stored() -> None:
    transport = ReplayTransport([embeddings([1.0]), embeddings([1.0], [2.0])])
    retry = RetryConfig(initial_delay=0)
    client = Flashlite(MODEL, api_key="k", transport=transport, cache=MemoryCache(), retry=retry)
    result = await client.embed(["a", "b"])
    assert (result.embeddings, len(transport.requests)) == ([[1.0], [2.0]], 2)
    assert (await client.cache_stats())["stored"] == 1


async def test_a_completion_and_an_embedding_of_one_text_are_two_entries() -> None:
    client = Flashlite("m", provider=Lengths(), cache=MemoryCache(), temperature=0)
    await client.complete("a", temperature=None)
    assert (await client.embed("a")).cached is False


async def test_the_ledger_counts_embeddings_as_it_counts_answers() -> None:
    transport = ReplayTransport([embeddings([1.0], tokens=1_000_000)])
    client = Flashlite(MODEL, api_key="k", transport=transport)
    await client.embed("a", tags=["docs"])
    assert (client.total_cost, client.total_tokens) == (0.02, 1_000_000)
    assert client.get_cost_report()["by_tag"]["docs"]["cost_usd"] == 0.02


async def test_a_budget_reserves_the_texts_and_no_answer() -> None:
    transport = ReplayTransport([embeddings([1.0])])
    budget = Budget(0.00001)
    client = Flashlite(MODEL, api_key="k", transport=transport, budget_limit=budget)
    await client.embed("a")
    assert budget.spent == 1e-07
    with pytest.raises(BudgetExceededError):
        await client.embed("a" * 3_000)
    assert len(transport.requests) == 1


def test_the_context_bounds_each_text_and_not_all_together() -> None:
    texts = tuple(Message.user("a" * 100_000) for _ in range(3))
    request = CompletionRequest(model=MODEL, messages=texts, api="embeddings")
    target = Target(provider="openai", dialect="x", model="text-embedding-3-small")
    assert worst_case(request, target) == pytest.approx(3 * 8191 * 2e-08)


def test_an_embedding_takes_no_tokens_of_output() -> None:
    request = CompletionRequest(model=MODEL, messages=(Message.user("a" * 400),), api="embeddings")
    amount = TokenEstimate().amount(request, measure(request))
    assert (amount.output_tokens, amount.input_tokens) == (0, 104)


async def test_a_rate_limit_counts_embeddings_too() -> None:
    limit = RateLimit(RateLimitConfig(requests_per_minute=100, tokens_per_minute=1000))
    client = Flashlite("m", provider=Lengths(most=1), rate_limit=limit)
    assert (await client.embed(["a", "bb"])).embeddings == [[1.0], [2.0]]


async def test_a_log_says_how_many_vectors_came_and_not_which(tmp_path: Path) -> None:
    logger = StructuredLogger(tmp_path / "log.jsonl")
    async with Flashlite("m", provider=Lengths(), structured_logger=logger) as client:
        await client.embed(["a", "bb", "ccc"])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    (answer,) = [line for line in lines if "embeddings" in line]
    assert answer["embeddings"] == 3
    assert not {"others", "content", "finish_reason"} & answer.keys()


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("openai/m", 2048),
        ("cohere/m", 96),
        ("gemini/m", 100),
        ("dashscope/m", 10),
        ("voyage/m", 1000),
    ],
)
def test_each_host_takes_so_many_texts_at_once(model: str, most: int) -> None:
    request = CompletionRequest(model=model, messages=(Message.user("a"),), api="embeddings")
    assert Router(ReplayTransport([])).target(request).max_inputs == most


async def test_a_completion_is_not_asked_of_the_embeddings_api() -> None:
    with pytest.raises(ConfigError, match="api is 'chat' or 'responses'"):
        await Flashlite("m", provider=Lengths()).complete("a", api="embeddings")  # type: ignore[typeddict-item]
