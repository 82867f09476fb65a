"""Routing from a model's name to its provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from .. import env
from ..errors import ConfigError
from ..models import family, is_provider, lookup
from ..types import (
    API,
    MAX_INPUTS,
    CompletionRequest,
    CompletionResponse,
    Handler,
    Target,
    place_of,
)
from ..wire import Transport
from .adapter import Host
from .dialects import NOT_TAKEN, adapter_for, dialect_of
from .hosts import BY_PREFIX, OPENAI
from .http import HTTPProvider, account, target_at, where
from .litellm import FEWER_INPUTS, LiteLLMProvider
from .mock import MockProvider


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a model's name to its provider.

    `provider` names the provider, `model` is its name for the model, `reason` explains the choice
    in one sentence, `build` creates the provider on a transport. `host` is set if flashlite speaks
    to the host itself, without litellm.
    """

    provider: str
    model: str
    reason: str
    build: Callable[[Transport], Handler]
    host: Host | None = None

    def explain(self) -> str:
        """Return lines with the model, provider, dialect, address, key variable and reason."""
        lines = {"model": self.model, "provider": self.provider}
        if self.host is not None:
            lines |= {"dialect": self.host.dialect, **where(self.host)}
        lines["because"] = self.reason
        return "\n".join(f"{name + ':':<9} {said}" for name, said in lines.items())


def resolve(model: str, *, base_url: str | None = None, api: API | None = None) -> Route:
    """Return the route to a model's provider, without a request.

    Raises ConfigError if the provider cannot be determined.
    """
    route = _resolve(model, base_url)
    if route.host is None:
        if api == "responses" and route.provider == "litellm":
            raise ConfigError(f"{route.reason}, without a Responses API: leave api='responses' out")
        return route
    api = api or _only_api(route.host, route.model, base_url)
    return route if api in (None, "chat") else _beside(route.host, route, api)


def _only_api(host: Host, model: str, base_url: str | None) -> API | None:
    """Return the only service that has a model, unless the host's address was changed."""
    if base_url is not None or env.first(host.url_vars) is not None:
        return None
    profile = lookup(f"{host.name}/{model}")
    api = None if profile is None else profile.api
    return api if dialect_of(host.dialect, api) else None


def _resolve(model: str, base_url: str | None) -> Route:
    prefix, slash, rest = model.partition("/")
    if slash and not rest:
        raise ConfigError(
            f"the model name {model!r} ends after the provider: write {prefix}/<model>"
        )
    route = _resolve_prefixed(prefix, rest) if slash else None
    if route is not None:
        return route
    if base_url is not None:
        return _at_host(OPENAI, model, "a base_url without a provider speaks OpenAI's dialect")
    if slash:
        return _by_litellm(model, f"{prefix}/ has no native dialect")
    return _resolve_bare(model)


def _resolve_prefixed(prefix: str, model: str) -> Route | None:
    if prefix == "mock":
        return Route(f"mock/{model}", model, "mock/ is embedded", lambda _: MockProvider(model))
    if host := BY_PREFIX.get(prefix):
        return _at_host(host, model, f"{prefix}/ is a host with a native dialect")
    if (plugin := _plugin(prefix)) is not None:
        reason = f"{prefix}/ is added by an installed package"
        if isinstance(plugin, Host):
            return _at_host(plugin, model, reason)
        return Route(prefix, model, reason, plugin)
    if is_provider(prefix):
        return _by_litellm(f"{prefix}/{model}", f"{prefix}/ has no native dialect")
    return None  # perhaps part of the model's name, as in Qwen/Qwen3-8B


def _resolve_bare(model: str) -> Route:
    provider = family(model)
    if provider is not None:
        reason = f"{model} is known as a model of {provider}"
        host = BY_PREFIX.get(provider)
        return _at_host(host, model, reason) if host else _by_litellm(f"{provider}/{model}", reason)
    if env.first(OPENAI.url_vars) is not None:
        return _at_host(OPENAI, model, f"{OPENAI.url_vars[0]} is set")
    raise ConfigError(
        f"unknown model {model!r}: say whose it is by provider/model (openai/..., anthropic/..., "
        "ollama/...), or pass base_url=... for an OpenAI-compatible server"
    )


def _beside(host: Host, route: Route, api: API) -> Route:
    """Return the route to an additional service of a host."""
    dialect = dialect_of(host.dialect, api)
    if dialect is not None:
        refuses = host.refuses | NOT_TAKEN.get(api, frozenset())
        beside = replace(host, dialect=dialect, refuses=refuses)
        return _at_host(beside, route.model, route.reason)
    if api == "responses":
        raise ConfigError(f"{host.name} has no Responses API: leave api='responses' out")
    prefix = next(filter(is_provider, host.prefixes), host.name)
    return _by_litellm(f"{prefix}/{route.model}", f"{api} of {host.name} have no native dialect")


def _at_host(host: Host, model: str, reason: str) -> Route:
    if host.speaks_for is not None and not host.speaks_for(model):
        return _by_litellm(f"{host.name}/{model}", f"{host.name} has another dialect for {model}")

    def build(transport: Transport) -> Handler:
        return HTTPProvider(host, adapter_for(host.dialect), transport)

    return Route(host.name, model, reason, build, host)


def _by_litellm(model: str, reason: str) -> Route:
    return Route("litellm", model, f"{reason}: litellm serves it", lambda _: LiteLLMProvider())


class Router:
    """The innermost handler: it passes each request to the provider of its model."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._providers: dict[tuple[str, str | None], Handler] = {}
        self._routes: dict[tuple[str, str | None, API | None], Route] = {}

    def target(self, request: CompletionRequest) -> Target:
        """Return the target of a request, without sending it."""
        if request.target is not None:
            return request.target
        route = self._route(request)
        if route.host is not None:
            return target_at(route.host, request.with_(model=route.model))
        provider, _, rest = route.model.partition("/")
        is_by_litellm = route.provider == "litellm"
        return Target(
            provider=provider if is_by_litellm else route.provider.partition("/")[0],
            dialect="litellm" if is_by_litellm else "openai",
            model=rest if is_by_litellm else route.model,
            address=place_of(request.base_url or env.get(f"{provider.upper()}_API_BASE") or ""),
            account=account(request.api_key),
            max_inputs=FEWER_INPUTS.get(provider, MAX_INPUTS),
        )

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        route = self._route(request)
        name = (route.provider, None if route.host is None else route.host.dialect)
        provider = self._providers.get(name)
        if provider is None:
            provider = self._providers[name] = route.build(self._transport)
        return await provider(request.with_(model=route.model))

    def _route(self, request: CompletionRequest) -> Route:
        """Return the route; one that depends only on the name is looked up once."""
        name = (request.model, request.base_url, request.api)
        route = self._routes.get(name)
        if route is None:
            route = resolve(request.model, base_url=request.base_url, api=request.api)
            if "/" in request.model and len(self._routes) < _MOST_ROUTES:
                self._routes[name] = route
        return route


_MOST_ROUTES = 1000  # a mock's options are part of its name, so there is no end of names


@cache
def _plugin(prefix: str) -> Any:
    """Load another package's entry for a prefix: a `Host`, or a function that builds a handler."""
    found = next(iter(entry_points(group="flashlite.providers", name=prefix)), None)
    return None if found is None else found.load()
