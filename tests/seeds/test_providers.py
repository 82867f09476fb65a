"""The blocks of seeds 001 and 002 about providers, limits and migration, as they stand there.

Only imports and hosts are replaced; the arguments of stores that are not there yet are left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flashlite import CompletionError, ConfigError, Flashlite
from flashlite.testing import MockServer, Reply

from ..providers.loopback import serving


@pytest.fixture(autouse=True)
def host(mock_server: MockServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    """OpenAI, as far as the environment tells; every model echoes."""
    with MockServer("echo") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        yield server


async def test_simple_completion(capsys: pytest.CaptureFixture[str]) -> None:
    from flashlite import OpenAIProvider

    provider = OpenAIProvider(model="gpt-5-nano")
    result = await provider.complete("Hello, world!")
    print(result.content)  # noqa: T201
    assert result.usage is not None
    print(f"Tokens: {result.usage.total_tokens}")  # noqa: T201
    await provider.close()
    assert capsys.readouterr().out.startswith("Hello, world!\nTokens: ")


async def test_streaming() -> None:
    from flashlite import OpenAIProvider, StreamEventType

    provider = OpenAIProvider(model="gpt-5-nano")
    said, tokens = "", 0
    async for event in provider.stream("Write a haiku about coding"):
        if event.type == StreamEventType.TOKEN:
            said += event.data
        elif event.type == StreamEventType.DONE:
            tokens = event.data.usage.total_tokens
    await provider.close()
    assert said == "Write a haiku about coding"
    assert tokens > 0


async def test_every_argument_of_a_completion(host: MockServer, tmp_path: Path) -> None:
    from flashlite import OpenAIProvider

    provider = OpenAIProvider(
        model="gpt-5",
        api_key=None,
        base_url=None,
        organization=None,
        cache_backend="fs",
        cache_dir=tmp_path,
        cache_collection=None,
        pg_dsn=None,
        redis_url=None,
        redis_ttl_seconds=86400,
        compress_pg=True,
        use_responses_api=False,
    )
    asked: dict[str, Any] = {
        "messages": "Hello!",
        "tools": None,
        "tool_choice": None,
        "temperature": 0.7,
        "max_tokens": 1000,
        "response_format": "text",
        "reasoning_effort": "medium",
        "cache_response": True,
        "cache_collection": "my_cache",
        "rewrite_cache": False,
        "regen_cache": False,
        "attempts": 3,
        "backoff": 1.0,
    }
    result = await provider.complete(**asked)
    assert (result.content, result.tool_calls, result.reasoning) == ("Hello!", None, None)
    assert (result.model, result.finish_reason) == ("gpt-5", "stop")
    assert (result.status, result.error, result.ok) == (200, None, True)
    assert result.has_tool_calls is False
    assert host.requests[0].body == {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": "Hello!"}],
        "temperature": 0.7,
        "max_tokens": 1000,
        "response_format": {"type": "text"},
        "reasoning_effort": "medium",
    }
    assert (await provider.complete(**asked)).cached
    for anew in ("rewrite_cache", "regen_cache"):
        assert not (await provider.complete(**asked | {anew: True})).cached
    assert not (await provider.complete(**asked | {"cache_response": False})).cached
    assert len(host.requests) == 4
    stats = await provider.cache_stats()
    assert (stats["entries"], stats["hits"]) == (1, 1)


async def test_a_stream_takes_the_same_arguments(tmp_path: Path) -> None:
    from flashlite import OpenAIProvider

    provider = OpenAIProvider(model="gpt-5", cache_backend="fs", cache_dir=tmp_path)
    options: Any = {"cache_response": True, "tools": None, "reasoning_effort": None}
    first = [event async for event in provider.stream(messages="Tell me a story", **options)]
    again = [event async for event in provider.stream(messages="Tell me a story", **options)]
    assert (first[-1].data.cached, again[-1].data.cached) == (False, True)


async def test_the_model_may_be_a_profile(host: MockServer) -> None:
    from flashlite import GPT5, GPT5Mini, OpenAIProvider

    provider = OpenAIProvider(model=GPT5)
    assert (await provider.complete("Hi")).content == "Hi"
    assert (await provider.complete("Hi", model="openai/gpt-4o")).content == "Hi"
    other: Any = GPT5Mini
    assert (await provider.complete("Hi", model=other)).content == "Hi"
    models = [request.body["model"] for request in host.requests]
    assert models == ["gpt-5", "gpt-4o", "gpt-5-mini"]


async def test_a_provider_stays_at_its_host(host: MockServer) -> None:
    from flashlite import OpenAIProvider

    await OpenAIProvider(model="claude-3-5-sonnet-20241022").complete("Hi")
    assert host.requests[0].body["model"] == "claude-3-5-sonnet-20241022"


async def test_the_organization_is_told(host: MockServer) -> None:
    from flashlite import OpenAIProvider

    await OpenAIProvider(model="gpt-5", organization="org-1").complete("Hi")
    assert host.requests[0].headers["openai-organization"] == "org-1"


async def test_anthropic() -> None:
    from flashlite import ANTHROPIC_AVAILABLE, AnthropicProvider

    assert ANTHROPIC_AVAILABLE
    answer = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-3-5-sonnet-20241022",
        "content": [{"type": "text", "text": "Spooky."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }
    with serving(Reply.of(answer)) as server:
        provider = AnthropicProvider(
            model="claude-3-5-sonnet-20241022",
            api_key=None,
            base_url=server.base_url,
            max_tokens=1024,
            default_temperature=0.5,
        )
        result = await provider.complete("Explain quantum entanglement briefly.")
    assert result.content == "Spooky."
    sent = server.requests[0].json
    assert (sent["max_tokens"], sent["temperature"]) == (1024, 0.5)


async def test_a_provider_of_ones_own() -> None:
    from flashlite import EmbeddingResult, StreamEventType
    from flashlite.providers import BaseProvider, CompletionResult, Provider, StreamEvent

    class MyProvider(BaseProvider):
        async def complete(self, messages: Any, **kwargs: Any) -> CompletionResult:
            return CompletionResult.of("Hello")

        async def stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[StreamEvent]:
            yield StreamEvent(type=StreamEventType.TOKEN, data="Hello")

    provider: Provider = MyProvider()
    assert (await provider.complete("Hi")).content == "Hello"
    assert [event.data async for event in provider.stream("Hi")] == ["Hello"]
    with pytest.raises(ConfigError, match="MyProvider makes no embeddings"):
        await MyProvider().embed("Hi")
    flashlite: Provider = Flashlite("mock/echo")
    assert (await flashlite.complete("Hi")).content == "Hi"
    assert EmbeddingResult(embeddings=[[0.5]]).ok
    with pytest.raises(TypeError, match="abstract"):
        BaseProvider()  # type: ignore[abstract]


async def test_rate_limiting() -> None:
    from flashlite import GPT5, Limiter, TokenBucket

    result = SimpleNamespace(usage=SimpleNamespace(completion_tokens=50))
    limiter = Limiter(model_profile=GPT5)
    async with limiter.limit(tokens=1000, requests=1) as ctx:
        ctx.output_tokens = result.usage.completion_tokens

    bucket = TokenBucket(
        capacity=10000,  # Max tokens
        refill_rate=1000,  # Tokens per second
    )
    await bucket.acquire(500)


async def test_migration_from_the_old_client() -> None:
    from flashlite import OpenAIClient

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
    from flashlite import OpenAIClient, OpenAIProvider

    refusal = Reply.of({"error": {"message": "No such model."}}, status=404)
    with serving(refusal) as server:
        client = OpenAIClient(model="gpt-5", base_url=server.base_url)
        result = await client.get_response("Hi")
        assert (result["output"], result["status"], result["usage"]) == (None, 404, {})
        assert "No such model." in result["error"]
        with pytest.raises(CompletionError, match="No such model"):
            await OpenAIProvider(model="gpt-5", base_url=server.base_url).complete("Hi")


async def test_attempts_and_backoff_are_said_once() -> None:
    from flashlite import OpenAIProvider

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
    from flashlite import OpenAIProvider

    options: Any = {"cache_response": True}
    with pytest.raises(ConfigError, match="no cache"):
        await OpenAIProvider("gpt-5").complete("Hi", **options)
    backend: Any = "qdrant"
    with pytest.raises(ConfigError, match="'pg_redis' or None"):
        OpenAIProvider("gpt-5", cache_backend=backend)
