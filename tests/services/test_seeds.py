"""The blocks of seeds 001 and 002 about the shared cache, with hosts and credentials replaced."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from flashlite.testing import MockServer


async def test_postgres_and_redis_cache(
    dsn: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flashlite import OpenAIProvider

    with MockServer("echo") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        provider = OpenAIProvider(
            model="gpt-5",
            cache_backend="pg_redis",
            pg_dsn=dsn,
            redis_url=redis_url,
            redis_ttl_seconds=86400,  # 24 hours
            compress_pg=True,
        )
        options: Any = {
            "cache_response": True,
            "cache_collection": secrets.token_hex(4),
            "rewrite_cache": False,
            "regen_cache": False,
        }
        results = [await provider.complete("Hello", **options) for _ in range(2)]
        assert [result.cached for result in results] == [False, True]
        assert await provider.warm_cache() >= 1
        await provider.close()
        assert len(server.requests) == 1
