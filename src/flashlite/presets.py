"""Clients of one host, with the names and arguments of llm-client.

    provider = OpenAIProvider(model="gpt-5", cache_backend="fs", cache_dir="./cache")

Each is a `Flashlite` and fails like one: a call without an answer raises, so that an empty answer
is never mistaken for one. Code that checks `result.ok`, `.status` and `.error` works too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from . import env
from .client import Flashlite
from .errors import ConfigError
from .middleware import RetryConfig
from .models import ModelProfile
from .options import CallOptions
from .stores import (
    DiskCache,
    Embed,
    FSCache,
    HybridRedisPostgreSQLCache,
    MemoryCache,
    QdrantCache,
    Store,
)
from .types import CompletionRequest, MessageInput

ANTHROPIC_AVAILABLE = True
"""Always True: flashlite speaks Anthropic's dialect itself and needs no package."""


class _HostClient(Flashlite):
    """A client pinned to one host.

    A call takes `cache_response` (False bypasses the cache), `rewrite_cache` or `regen_cache` (both
    ask again and store), and a model by its name at this host or by its profile. `attempts`
    (requests in all) and `backoff` (seconds before the second) are arguments of the client only.

    A `cache_backend` of "qdrant" is the server `qdrant_url` (else QDRANT_URL), or without one the
    folder `qdrant` in `cache_dir`. It needs embeddings: from `cache_embed`, or from the host itself
    if it offers any.
    """

    _host: str
    _embeds: str | None = None  # the embedding model, if the host has one

    def __init__(
        self,
        model: str | ModelProfile,
        *,
        cache_backend: Literal["fs", "disk", "memory", "pg_redis", "qdrant"] | None = None,
        cache_dir: str | PathLike[str] = "./cache",
        pg_dsn: str | None = None,
        redis_url: str | None = None,
        redis_ttl_seconds: float = 86_400,
        compress_pg: bool = True,
        qdrant_url: str | None = None,
        qdrant_api_key: str | None = None,
        cache_embed: Embed | None = None,
        default_temperature: float | None = None,
        attempts: int = 3,
        backoff: float = 1.0,
        **options: Any,
    ) -> None:
        self._attempts, self._backoff = attempts, backoff
        options.setdefault("retry", RetryConfig(max_attempts=attempts, initial_delay=backoff))
        if cache_backend == "pg_redis":
            options["cache"] = HybridRedisPostgreSQLCache(
                pg_dsn,
                redis_url,
                redis_ttl_seconds=redis_ttl_seconds,
                compress_pg=compress_pg,
            )
        elif cache_backend == "qdrant":
            options["cache"] = QdrantCache(
                qdrant_url,
                api_key=qdrant_api_key,
                path=None if qdrant_url or env.get("QDRANT_URL") else Path(cache_dir) / "qdrant",
                embed=cache_embed or self._own_embed(),
            )
        elif cache_backend is not None:
            options["cache"] = _store(cache_backend, cache_dir)
        if default_temperature is not None:
            options["temperature"] = default_temperature
        super().__init__(self._full_name(model), **options)

    def _own_embed(self) -> Embed:
        """Return a function that embeds questions for the cache, on this client's account."""
        if self._embeds is None:
            raise ConfigError(
                f"{self._host} makes no embeddings: say who does, such as "
                "cache_embed=Flashlite('openai/text-embedding-3-small').embed"
            )
        return partial(self.embed, model=self._embeds, cache="off")

    async def warm_cache(self) -> int:
        """Copy PostgreSQL's answers to Redis; return how many were copied, 0 for other stores."""
        store = self.require_cache().store
        return await store.warm_cache() if isinstance(store, HybridRedisPostgreSQLCache) else 0

    async def close(self) -> None:
        """Close what this event loop holds; the client stays usable."""
        await self.aclose()

    def build(
        self,
        messages: MessageInput | None,
        model: str | ModelProfile | None,
        options: CallOptions,
        response_model: type[Any] | None = None,
    ) -> CompletionRequest:
        given: Any = self._translated(options)
        name = None if model is None else self._full_name(model)
        return super().build(messages, name, given, response_model)

    def _translated(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return llm-client's arguments of a call as those of flashlite."""
        given = dict(options)
        for name, own in (("attempts", self._attempts), ("backoff", self._backoff)):
            asked = given.pop(name, None)
            if asked is not None and asked != own:
                raise ConfigError(f"{name} is said once: {type(self).__name__}({name}={asked!r})")
        is_cached = given.pop("cache_response", None)
        anew = [given.pop(name, None) for name in ("rewrite_cache", "regen_cache")]
        if is_cached:
            self.require_cache()
        if is_cached is False:
            given.setdefault("cache", "off")
        elif any(anew):
            given.setdefault("cache", "refresh")
        return given

    def _full_name(self, model: str | ModelProfile) -> str:
        name = model.model_name if isinstance(model, ModelProfile) else model
        return name if name.startswith(f"{self._host}/") else f"{self._host}/{name}"


class OpenAIProvider(_HostClient):
    """A client of OpenAI, or of a server that speaks its dialect at `base_url`."""

    _host = "openai"
    _embeds = "openai/text-embedding-3-small"

    def __init__(
        self,
        model: str | ModelProfile,
        *,
        organization: str | None = None,
        use_responses_api: bool = False,
        **options: Any,
    ) -> None:
        if organization is not None:
            headers = options.get("extra_headers") or {}
            options["extra_headers"] = {"OpenAI-Organization": organization, **headers}
        if use_responses_api:
            options["api"] = "responses"
        super().__init__(model, **options)


class AnthropicProvider(_HostClient):
    """A client of Anthropic; its `max_tokens` is the default for every call."""

    _host = "anthropic"


def _store(backend: str, directory: str | PathLike[str]) -> Store:
    if backend == "fs":
        return FSCache(directory)
    if backend == "disk":
        return DiskCache(Path(directory) / "completions.db")
    if backend == "memory":
        return MemoryCache()
    raise ConfigError(
        "cache_backend is 'fs', 'disk', 'memory', 'pg_redis', 'qdrant' or None; "
        f"got {backend!r:.80}"
    )
