"""The dialects of embeddings: what is asked and what comes back."""

from __future__ import annotations

from copy import deepcopy
from operator import mul
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite import ConfigError, EmbeddingResult, Flashlite, MalformedResponseError
from flashlite.errors import (
    AuthenticationError,
    BadRequestError,
    CompletionError,
    RateLimitError,
)
from flashlite.middleware import RetryConfig
from flashlite.providers.router import resolve
from flashlite.testing import MockServer, ReplayTransport, Reply
from flashlite.types import CompletionRequest, Message

from .cases import load, plain, spoiled
from .loopback import serving

DIALECTS = ("openai_embeddings", "google_embeddings", "cohere_embeddings")
ONCE = RetryConfig(max_attempts=1)


def replaying(*replies: Any, **options: Any) -> Flashlite:
    transport = ReplayTransport([Reply.of(reply) for reply in replies])
    return Flashlite(api_key="a-test-key", transport=transport, retry=ONCE, **options)


@pytest.mark.parametrize("case", [case for name in DIALECTS for case in load(name)])
async def test_texts_go_out_and_their_vectors_come_back(case: dict[str, Any]) -> None:
    as_given = deepcopy(case)
    transport = ReplayTransport([Reply.of(case["reply"])])
    client = Flashlite(api_key="a-test-key", transport=transport)
    result = await client.embed(**case["request"])
    (sent,) = transport.requests
    assert {"url": sent.url, "headers": sent.headers, "json": sent.json} == case["wire"]
    told = {"embeddings": result.embeddings, "model": result.model, "usage": plain(result.usage)}
    assert told == case["result"]
    assert result.raw == (case["reply"],)
    assert case == as_given


WHOLE = {
    "openai/m": {
        "object": "list",
        "data": [{"index": 0, "embedding": [1, 2.5]}, {"index": 1, "embedding": "AACAPw=="}],
        "model": "m",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
        "error": None,
    },
    "gemini/m": {
        "embeddings": [{"values": [1, 2.5]}, {"values": [3, 4.5]}],
        "usageMetadata": {"promptTokenCount": 2},
    },
    "cohere/m": {
        "id": "e-1",
        "embeddings": {"float": [[1, 2.5], [3, 4.5]]},
        "meta": {"billed_units": {"input_tokens": 2}},
    },
}


@given(st.sampled_from(sorted(WHOLE)).flatmap(lambda m: st.tuples(st.just(m), spoiled(WHOLE[m]))))
async def test_any_json_in_any_place_is_vectors_or_a_typed_error(case: tuple[str, Any]) -> None:
    model, reply = case
    try:
        result = await replaying(reply).embed(["a", "b"], model=model)
    except CompletionError as error:
        assert error.model == "m"  # noqa: PT017
    else:
        assert len(result.embeddings) == 2
        assert {type(number) for vector in result.embeddings for number in vector} == {float}


@pytest.mark.parametrize(
    ("model", "reply"),
    [
        ("openai/m", {"data": [{"index": 0, "embedding": [1]}]}),
        ("openai/m", {"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": [1]}]}),
        ("openai/m", {"data": [{"embedding": [True]}, {"embedding": [1]}]}),
        ("openai/m", {"data": [{"embedding": "AACAPw"}, {"embedding": "AACAPw=="}]}),
        ("openai/m", {"data": [{"embedding": "AAAA"}, {"embedding": "AACAPw=="}]}),
        ("openai/m", {}),
        ("gemini/m", {"embeddings": [{"values": [1]}]}),
        ("cohere/m", {"embeddings": {"int8": [[1], [2]]}}),
    ],
)
async def test_an_answer_that_lacks_a_vector_is_malformed(model: str, reply: Any) -> None:
    with pytest.raises(MalformedResponseError):
        await replaying(reply).embed(["a", "b"], model=model)


@pytest.mark.parametrize(
    ("model", "reply"),
    [
        ("openai/text-embedding-3-small", {"data": [{"embedding": [1]}], "usage": {"x": 1}}),
        ("gemini/gemini-embedding-001", {"embeddings": [{"values": [1]}], "usageMetadata": {}}),
        ("cohere/embed-v4.0", {"embeddings": {"float": [[1]]}, "meta": {"billed_units": {}}}),
    ],
)
async def test_a_usage_that_nobody_told_costs_nobody_knows_what(model: str, reply: Any) -> None:
    result = await replaying(reply).embed("a", model=model)
    assert (result.embeddings, result.usage, result.cost) == ([[1.0]], None, None)


@pytest.mark.parametrize(
    ("model", "option", "why"),
    [
        ("gemini/m", {"encoding_format": "base64"}, "Gemini takes no encoding_format"),
        ("cohere/m", {"encoding_format": "base64"}, "Cohere takes no encoding_format"),
    ],
)
async def test_what_a_dialect_cannot_say_is_refused(model: str, option: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        await replaying().embed("a", model=model, **option)


@pytest.mark.parametrize("kinds", [["int8"], "float", 5])
async def test_vectors_that_nobody_could_read_are_not_paid_for(kinds: Any) -> None:
    with pytest.raises(ConfigError, match="vectors are read as floats: leave embedding_types out"):
        await replaying().embed("a", model="cohere/m", extra_body={"embedding_types": kinds})


async def test_a_refusal_is_a_typed_error() -> None:
    reply = Reply.of({"error": {"message": "bad key", "code": "invalid_api_key"}}, status=401)
    client = Flashlite(api_key="a-test-key", transport=ReplayTransport([reply]))
    with pytest.raises(AuthenticationError, match="openai/m: bad key"):
        await client.embed("a", model="openai/m")


async def test_an_error_inside_a_200_is_a_typed_error() -> None:
    with pytest.raises(RateLimitError):
        await replaying({"error": {"message": "slow down", "code": 429}}).embed(
            "a", model="openrouter/m"
        )


async def test_embeddings_do_not_come_as_a_stream() -> None:
    provider = resolve("openai/m", api="embeddings").build(ReplayTransport([]))
    request = CompletionRequest(
        model="m",
        messages=(Message.user("a"),),
        api="embeddings",
        stream=True,
        api_key="a-test-key",
    )
    with pytest.raises(ConfigError, match="without stream=True"):
        await provider(request)


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("text-embedding-3-small", "openai"),
        ("mistral/mistral-embed", "mistral"),
        ("ollama/nomic-embed-text", "ollama"),
        ("voyage/voyage-3", "litellm"),
        ("vertex_ai/text-embedding-005", "litellm"),
        ("bedrock/amazon.titan-embed-text-v2:0", "litellm"),
        ("anthropic/claude-sonnet-4-5", "litellm"),
    ],
)
def test_a_host_without_a_native_dialect_is_served_by_litellm(model: str, provider: str) -> None:
    assert resolve(model, api="embeddings").provider == provider


async def test_litellm_embeds_for_the_rest() -> None:
    data = [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]
    with serving(Reply.of({"data": data, "model": "v", "usage": {"total_tokens": 10}})) as server:
        sent: list[Any] = []
        result = await Flashlite("voyage/voyage-3").embed(
            ["a", "b"],
            dimensions=2,
            extra_body={"input_type": "query"},
            api_key="k-0123456789",
            base_url=server.base_url,
            on_send=sent.append,
        )
    (received,) = server.requests
    assert received.json == {
        "model": "voyage-3",
        "input": ["a", "b"],
        "output_dimension": 2,
        "input_type": "query",
    }
    assert result == EmbeddingResult(
        embeddings=[[1.0, 2.0], [3.0, 4.0]], model="v", usage=result.usage, raw=result.raw
    )
    assert (result.usage and result.usage.input_tokens, result.cost) == (10, 6e-07)
    assert len(sent) == 1


async def test_a_provider_without_embeddings_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="litellm has no such service for anthropic/"):
        await Flashlite("anthropic/claude-sonnet-4-5", api_key="k-0123456789").embed("a")


async def test_a_mock_model_embeds_the_words_of_a_text() -> None:
    texts = ["the red cat", "a red cat", "stock market news", "The RED cat!"]
    result = await Flashlite("mock/echo").embed(texts)
    first, near, far, same = result.embeddings
    likeness = [sum(map(mul, first, other)) for other in (first, near, far, same)]
    assert likeness == pytest.approx([1.0, 0.85, 0.0, 1.0], abs=0.15)
    assert {len(vector) for vector in result.embeddings} == {256}
    assert (result.model, result.usage and result.usage.input_tokens) == ("echo", 14)
    again = await Flashlite("mock/calculator").embed("the red cat", dimensions=8)
    assert len(again.embedding) == 8


async def test_a_mock_model_has_its_faults_for_embeddings_too() -> None:
    client = Flashlite("mock/echo?status=401", retry=RetryConfig(max_attempts=1))
    with pytest.raises(AuthenticationError):
        await client.embed("a")
    with pytest.raises(BadRequestError, match="Invalid 'dimensions': 100000"):
        await Flashlite("mock/echo").embed("a", dimensions=100_000)


async def test_a_mock_server_embeds(mock_server: MockServer) -> None:
    client = Flashlite("openai/echo", base_url=mock_server.base_url, api_key="k-0123456789")
    assert len((await client.embed(["a", "b"])).embeddings) == 2
    assert [request.path for request in mock_server.requests] == ["/v1/embeddings"]
