"""The engine under Inspect: its providers, pools and stores belong to the process.

Inspect's models outlive evals and event loops, and several may have the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from .. import env
from ..batch.jobs import Pace
from ..client import Flashlite
from ..errors import ConfigError
from ..middleware import Middleware, Retry, RetryConfig, stack
from ..models import is_provider
from ..providers import LiteLLMProvider, MockProvider, Route, Router
from ..providers.http import account
from ..stores import DiskCache, FSCache, MemoryCache, Store
from ..types import CompletionRequest, CompletionResponse, Handler, Target, place_of, target_of
from ..wire import AiohttpTransport
from ._batches import in_jobs
from ._pool import Pool
from ._settings import Settings
from ._turn import at_work

# Inspect owns retries: each call is one request.
_ONCE = RetryConfig(max_attempts=1)


def engine_for(handler: Handler, pool: Pool, settings: Settings) -> Flashlite:
    """Return an engine on a provider, within the limits of a pool."""
    layers: list[Middleware] = [pool, at_work, Retry(_ONCE)]
    bottom = _Bottom(handler, layers=layers, target=target_of(handler))
    pool.join(settings, bottom.target)
    return _engine(bottom, settings)


def engine_in_jobs(pace: Pace, pool: Pool, settings: Settings) -> Flashlite:
    """Return an engine that uses batch APIs; the pool's budget applies, its rate limits do not."""
    layers: list[Middleware] = [pool.spend, Retry(_ONCE)]
    return _engine(_Bottom(in_jobs(pace), layers=layers, target=target_of(native())), settings)


def _engine(bottom: Handler, settings: Settings) -> Flashlite:
    store = None if settings.cache is None else _shared_store(settings.cache)
    return Flashlite(provider=bottom, retry=_ONCE, cache=store, track_costs=False)


@cache
def native() -> Handler:
    """Return the router to all providers, which the process shares."""
    return Router(AiohttpTransport(proxy_for=env.proxy_for))


@cache
def by_litellm() -> Handler:
    """Return the handler that sends every call through litellm, even for native providers."""
    return _ByLiteLLM()


def mock(name: str, options: dict[str, Any]) -> Handler:
    """Return a mock model with scripts and faults of its own."""
    return MockProvider(name.removeprefix("mock/"), **options)


def litellm_name(route: Route) -> str:
    """Return litellm's name of a model, with the provider in front."""
    if route.host is None:
        return route.model
    prefix = next(filter(is_provider, route.host.prefixes), route.host.name)
    return f"{prefix}/{route.model}"


class _Bottom:
    """A provider below the layers that report to Inspect and that enforce the pool's limits."""

    def __init__(
        self,
        handler: Handler,
        *,
        layers: Iterable[Middleware],
        target: Callable[[CompletionRequest], Target],
    ) -> None:
        self.target = target
        self._handle = stack(layers, handler)

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        return await self._handle(request)


class _ByLiteLLM:
    """Sends every request through litellm; a request's `model` is litellm's name."""

    def __init__(self) -> None:
        self._provider = LiteLLMProvider()

    def target(self, request: CompletionRequest) -> Target:
        provider, _, model = request.model.partition("/")
        return Target(
            provider=provider,
            dialect="litellm",
            model=model,
            address=place_of(request.base_url or ""),
            account=account(request.api_key),
        )

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        return await self._provider(request)


@cache
def _shared_store(said: str) -> Store:
    store = MemoryCache() if said == "memory" else store_named(said)
    if store is None:
        raise ConfigError(f"-M cache={said}: memory, disk:<file> or fs:<folder>")
    return store


def store_named(said: str, **options: Any) -> Store | None:
    """Return the store that `disk:<file>` or `fs:<folder>` names, None for any other text."""
    kind, _, path = said.partition(":")
    make: Callable[..., Store] | None = {"disk": DiskCache, "fs": FSCache}.get(kind)
    return make(path, **options) if make and path else None
