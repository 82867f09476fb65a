"""The blocks of seeds 001 and 002 about models and embeddings, as they stand there.

Only the hosts are replaced. Where a seed's facts have aged (a context of 128K, three efforts), the
price map is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from flashlite import EmbeddingResult, Flashlite, ModelProfile, Usage
from flashlite.testing import Reply

from ..providers.loopback import Loopback, serving

ANSWER: dict[str, Any] = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAIMA="}],
    "model": "text-embedding-3-large",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """OpenAI, as far as the environment tells."""
    with serving(Reply.of(ANSWER)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        yield server


def openai_provider(*, model: str) -> Flashlite:
    return Flashlite(f"openai/{model}")


async def test_001_embeddings(host: Loopback) -> None:
    embed_provider = openai_provider(model="text-embedding-3-small")
    result = await embed_provider.embed("Text to embed")

    assert result.embedding == [1.0, -2.5]
    assert host.requests[0].json == {"model": "text-embedding-3-small", "input": ["Text to embed"]}


async def test_002_embeddings(host: Loopback) -> None:
    embed_provider = openai_provider(model="text-embedding-3-large")

    result = await embed_provider.embed(
        inputs="Text to embed",
        encoding_format="base64",
        dimensions=1536,
    )

    assert isinstance(result, EmbeddingResult)
    assert result.embeddings == [[1.0, -2.5]]
    assert result.embedding == [1.0, -2.5]
    assert result.usage is not None
    assert (result.usage.input_tokens, result.cost) == (3, pytest.approx(3.9e-07))
    assert result.ok is True
    assert host.requests[0].json == {
        "model": "text-embedding-3-large",
        "input": ["Text to embed"],
        "encoding_format": "base64",
        "dimensions": 1536,
    }


@pytest.mark.parametrize(
    ("key", "name", "category", "reasons"),
    [
        ("gpt-5", "GPT5", "completions", True),
        ("gpt-5-mini", "GPT5Mini", "completions", True),
        ("gpt-5-nano", "GPT5Nano", "completions", True),
        ("gpt-5.1", "GPT5Point1", "completions", True),
        ("gpt-5.2", "GPT5Point2", "completions", True),
        ("text-embedding-3-large", "TextEmbedding3Large", "embeddings", False),
        ("text-embedding-3-small", "TextEmbedding3Small", "embeddings", False),
    ],
)
def test_002_table_of_models(key: str, name: str, category: str, reasons: bool) -> None:
    import flashlite

    profile = getattr(flashlite, name)
    assert profile == ModelProfile.get(key)
    assert (profile.model_name, profile.category) == (key, category)
    assert bool(profile.reasoning_model) is reasons


def test_002_model_profiles() -> None:
    from flashlite import GPT5

    model = ModelProfile.get("gpt-5")
    assert model == GPT5

    assert GPT5.model_name == "gpt-5"
    assert GPT5.category == "completions"
    assert GPT5.context_window == 272_000
    assert GPT5.reasoning_model is True
    assert GPT5.reasoning_efforts == ["minimal", "low", "medium", "high"]

    count = GPT5.count_tokens("Hello, world!")
    assert count == 4

    api_response = SimpleNamespace(
        usage=SimpleNamespace(prompt_tokens=1000, completion_tokens=100, total_tokens=1100)
    )
    usage = GPT5.parse_usage(api_response.usage)
    assert usage == Usage(
        input_tokens=1000,
        output_tokens=100,
        input_cost=0.00125,
        output_cost=0.001,
        total_cost=0.0022500000000000003,
    )


async def test_002_a_provider_of_ones_own_may_embed() -> None:
    class MyProvider:
        async def embed(self, inputs: Any, **kwargs: Any) -> EmbeddingResult:
            return EmbeddingResult(embeddings=[[0.5]], usage=Usage(input_tokens=1))

    result = await MyProvider().embed("Text")
    assert (result.embedding, result.ok) == ([0.5], True)
