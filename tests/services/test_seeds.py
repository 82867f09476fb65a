"""The blocks of seed 002 about the shared cache run with servers; only the addresses are ours."""

from __future__ import annotations

import secrets

import pytest

from flashlite import OpenAIProvider
from flashlite.testing import MockServer

from ..seeds.blocks import Seed

SEED = Seed("002_llm_client.txt")


def test_postgres_and_redis_cache(
    dsn: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {
        "postgresql://user:pass@localhost/db": dsn,
        "redis://localhost:6379": redis_url,
    }
    collection = {'"custom"': f'"{secrets.token_hex(4)}"'}
    with MockServer("echo") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        names = SEED.run("postgresql_redis_cache", {"OpenAIProvider": OpenAIProvider}, addresses)
        results = [SEED.run("cache_options", names, collection)["result"] for _ in range(2)]
    assert [result.cached for result in results] == [False, True]
    assert len(server.requests) == 1
