"""Clients of one host by llm-client's names, its first client, and providers of one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    GPT5,
    AnthropicProvider,
    CompletionError,
    ConfigError,
    Flashlite,
    GPT5Mini,
    OpenAIClient,
    OpenAIProvider,
    QdrantCache,
    StreamEventType,
)
from flashlite.providers import BaseProvider, CompletionResult, Provider, StreamEvent
from flashlite.testing import MockServer, Reply

from .providers.loopback import serving


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    """OpenAI, as far as the environment tells; every model echoes."""
    with MockServer("echo") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        yield server


async def test_a_stream_takes_the_same_arguments(tmp_path: Path) -> None:
    provider = OpenAIProvider(model="gpt-5", cache_backend="fs", cache_dir=tmp_path)
    options: Any = {"cache_response": True, "tools": None, "reasoning_effort": None}
    first = [event async for event in provider.stream(messages="Tell me a story", **options)]
    again = [event async for event in provider.stream(messages="Tell me a story", **options)]
    assert (first[-1].data.cached, again[-1].data.cached) == (False, True)


async def test_the_model_may_be_a_profile(host: MockServer) -> None:
    provider = OpenAIProvider(model=GPT5)
    assert (await provider.complete("Hi")).content == "Hi"
    assert (await provider.complete("Hi", model="openai/gpt-4o")).content == "Hi"
    other: Any = GPT5Mini
    assert (await provider.complete("Hi", model=other)).content == "Hi"
    models = [request.body["model"] for request in host.requests]
    assert models == ["gpt-5", "gpt-4o", "gpt-5-mini"]


async def test_a_provider_stays_at_its_host(host: MockServer) -> None:
    await OpenAIProvider(model="claude-3-5-sonnet-20241022").complete("Hi")
    assert host.requests[0].body["model"] == "claude-3-5-sonnet-20241022"


async def test_the_organization_is_told(host: MockServer) -> None:
    await OpenAIProvider(model="gpt-5", organization="org-1").complete("Hi")
    assert host.requests[0].headers["openai-organization"] == "org-1"


async def test_the_temperature_may_be_said_once() -> None:
    text = [{"type": "text", "text": "Hi"}]
    answer = {"id": "m", "model": "c", "content": text, "stop_reason": "end_turn", "usage": {}}
    with serving(Reply.of(answer)) as server:
        options: Any = {"base_url": server.base_url, "api_key": "k", "max_tokens": 9}
        await AnthropicProvider("c", default_temperature=0.5, **options).complete("Hi")
    assert server.requests[0].json["temperature"] == 0.5


async def test_a_provider_of_ones_own_need_not_embed() -> None:
    class MyProvider(BaseProvider):
        async def complete(self, messages: Any, **options: Any) -> CompletionResult:
            return CompletionResult.of("Hello")

        async def stream(self, messages: Any, **options: Any) -> AsyncIterator[StreamEvent]:
            yield StreamEvent(type=StreamEventType.TOKEN, data="Hello")

    provider: Provider = MyProvider()
    assert (await provider.complete("Hi")).content == "Hello"
    with pytest.raises(ConfigError, match="MyProvider makes no embeddings"):
        await MyProvider().embed("Hi")
    flashlite: Provider = Flashlite("mock/echo")
    assert (await flashlite.complete("Hi")).content == "Hi"
    with pytest.raises(TypeError, match="abstract"):
        BaseProvider()  # type: ignore[abstract]


async def test_an_answer_of_the_old_client_is_a_dict() -> None:
    client = OpenAIClient(model="gpt-5", cache_backend=None)
    result = await client.get_response(messages=[{"role": "user", "content": "Hello!"}])
    await client.close()
    usage = result.pop("usage")
    assert result == {
        "output": "Hello!",
        "tool_calls": None,
        "reasoning": None,
        "finish_reason": "stop",
        "model": "gpt-5",
        "cached": False,
        "status": 200,
        "error": None,
    }
    assert usage["total_tokens"] > 0


async def test_the_old_client_says_what_failed_and_the_provider_raises_it() -> None:
    refusal = Reply.of({"error": {"message": "No such model."}}, status=404)
    with serving(refusal) as server:
        client = OpenAIClient(model="gpt-5", base_url=server.base_url)
        result = await client.get_response("Hi")
        assert (result["output"], result["status"], result["usage"]) == (None, 404, {})
        assert "No such model." in result["error"]
        with pytest.raises(CompletionError, match="No such model"):
            await OpenAIProvider(model="gpt-5", base_url=server.base_url).complete("Hi")


async def test_attempts_and_backoff_are_said_once() -> None:
    refusal = Reply.of({"error": {"message": "No."}}, status=500)
    with serving(refusal) as server:
        provider = OpenAIProvider("gpt-5", base_url=server.base_url, attempts=2, backoff=0.0)
        with pytest.raises(CompletionError):
            await provider.complete("Hi")
    assert len(server.requests) == 2
    other: Any = {"attempts": 5}
    with pytest.raises(ConfigError, match=r"OpenAIProvider\(attempts=5\)"):
        await provider.complete("Hi", **other)


async def test_caching_without_a_cache_is_refused() -> None:
    options: Any = {"cache_response": True}
    with pytest.raises(ConfigError, match="no cache"):
        await OpenAIProvider("gpt-5").complete("Hi", **options)
    backend: Any = "elsewhere"
    with pytest.raises(ConfigError, match="'qdrant' or None; got 'elsewhere'"):
        OpenAIProvider("gpt-5", cache_backend=backend)


async def test_a_qdrant_without_a_server_is_a_folder_and_embeds_on_the_hosts_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QDRANT_URL", raising=False)
    with MockServer("echo") as server:
        options: dict[str, Any] = {"base_url": server.base_url, "api_key": "k-0123456789"}
        provider = OpenAIProvider(
            "gpt-5", cache_backend="qdrant", cache_dir=tmp_path, temperature=0, **options
        )
        async with provider:
            first, second = [await provider.complete("Hello") for _ in range(2)]
            assert await provider.warm_cache() == 0
    assert (first.cached, second.cached) == (False, True)
    assert (tmp_path / "qdrant" / "meta.json").is_file()
    assert [request.body["model"] for request in server.requests] == [
        "text-embedding-3-small",
        "gpt-5",
    ]
    accounts = provider.get_cost_report()["by_model"]
    assert accounts["openai/text-embedding-3-small"]["requests"] == 1
    assert accounts["openai/text-embedding-3-small"]["cost_usd"] > 0


def test_a_host_without_embeddings_is_told_who_makes_them() -> None:
    with pytest.raises(ConfigError) as caught:
        AnthropicProvider("claude-sonnet-4-5", cache_backend="qdrant")
    assert str(caught.value) == (
        "anthropic makes no embeddings: say who does, such as "
        "cache_embed=Flashlite('openai/text-embedding-3-small').embed"
    )
    embed = Flashlite("mock/echo").embed
    provider = AnthropicProvider("claude-sonnet-4-5", cache_backend="qdrant", cache_embed=embed)
    assert isinstance(provider.require_cache().store, QdrantCache)
