"""The engine: the stack of layers that every call goes through, opened and closed here."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, Self, Unpack

from . import env
from .build import build_request, check_client, kept, layers_of
from .errors import ConfigError, StoreError
from .inspect_logs import InspectLog, InspectLogger
from .many import Crowd
from .middleware import (
    Aim,
    Budget,
    Cache,
    CallbackManager,
    Concurrency,
    Continuing,
    Events,
    Fallback,
    Ledger,
    Log,
    Middleware,
    OnWire,
    RateLimit,
    RateLimitConfig,
    Retry,
    RetryConfig,
    Structured,
    StructuredLogger,
    WithinBudget,
    local_files,
    outermost,
    stack,
)
from .options import CallOptions, ClientOptions
from .providers import Router
from .stores import Store
from .templating import Templates
from .types import (
    CompletionParams,
    CompletionRequest,
    CompletionResponse,
    Handler,
    MessageInput,
    StreamEvent,
    target_of,
)
from .wire import AiohttpTransport, Transport


class Engine:
    """A stack of layers on a provider, and the two ways through it: `ask` and `stream`.

    `Flashlite` documents the arguments. `handle` sends a request through all layers; `target`
    returns who would answer it.
    """

    def __init__(
        self,
        default_model: str | None = None,
        *,
        retry: RetryConfig | None = None,
        rate_limit: RateLimitConfig | RateLimit | None = None,
        max_concurrency: int | None = None,
        cache: Store | None = None,
        budget_limit: float | Budget | None = None,
        track_costs: bool = True,
        callbacks: CallbackManager | None = None,
        structured_logger: StructuredLogger | None = None,
        log_requests: bool = False,
        inspect_logger: InspectLogger | None = None,
        middleware: Iterable[Middleware] = (),
        provider: Handler | None = None,
        transport: Transport | None = None,
        template_dir: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        **defaults: Unpack[ClientOptions],
    ) -> None:
        check_client(defaults, _SETTINGS, cache=cache, provider=provider)
        self.default_model, self.defaults = default_model, kept(defaults)
        self.ledger, self._on_wire, self._entered = Ledger(), OnWire(), 0
        self.templates, self.inspect_logger = Templates(template_dir), inspect_logger
        self._transport = transport or AiohttpTransport(proxy_for=env.proxy_for)
        bottom = self._bottom = provider or Router(self._transport)
        self.target = target_of(bottom)
        self._cache = None if cache is None else Cache(cache)
        self._logger = structured_logger or (StructuredLogger() if log_requests else None)
        budget, limit = self._limits = Budget.of(budget_limit), RateLimit.of(rate_limit)
        self._own = layers_of(middleware)
        self._outer = [
            *(outermost, local_files, *self._own),
            Fallback(self.target),
            InspectLog(inspect_logger, target=self.target),
            Events(callbacks) if callbacks else None,
            Log(self._logger) if self._logger else None,
            self.ledger if track_costs else None,
        ]
        self._inner = [
            Aim(self.target) if (cache, budget, limit) != (None,) * 3 else None,
            *(self._cache, Structured(target=self.target), Continuing(), Retry(retry)),
        ]
        gate = [
            Concurrency(max_concurrency) if max_concurrency is not None else None,
            *(limit, WithinBudget(budget) if budget else None, self._on_wire),
        ]
        self.handle = stack([*self._outer, *self._inner, *gate], bottom)
        self.max_concurrency = max_concurrency
        self._given = {"retry": retry, "cache": cache, "provider": provider, "transport": transport}

    async def ask(
        self,
        messages: MessageInput | None = None,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> CompletionResponse:
        """Do what `complete` does, but always return the whole response.

        With a `response_model`, the instance is in `response.parsed`, or None if the model called
        tools or refused.
        """
        return await self.handle(self.build(messages, model, options, response_model))

    async def stream(
        self,
        messages: MessageInput | None = None,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[StreamEvent]:
        """Ask for one answer and yield it piece by piece; the last event is DONE.

        A stream that ends before the answer is whole raises StreamInterruptedError. With a
        `response_model`, PARTIAL events have the value as far as it is written; an answer that does
        not fit raises StructuredOutputError and is not asked for again, because it was already
        read. To stop early, wrap the call in `contextlib.aclosing`, which closes the connection.
        """
        request = self.build(messages, model, options, response_model).with_(stream=True)
        response = await self.handle(request)
        async with aclosing(response.events()) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Close what this event loop holds and write pending data; the client stays usable."""
        await self._transport.aclose()
        for limit in self._limits:
            if limit is not None:
                await limit.aflush()
        if self._logger is not None:
            await self._logger.aflush()
        if self.inspect_logger is not None:
            await self.inspect_logger.aflush()
        if self._cache is not None:
            await self._cache.store.aclose()

    async def __aenter__(self) -> Self:
        self._entered += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._entered -= 1
        if self._entered:  # others are still using it
            return
        try:
            await self.aclose()
        except StoreError as error:  # answers are not lost because a cache fails
            logging.getLogger("flashlite.cache").warning("not all could be stored: %s", error)

    def crowd(self, ask: Callable[..., Any], requests: Any, *, workers: int) -> Crowd:
        """Return workers that send many requests at once."""
        return Crowd(ask, requests, workers=workers, wire=self._on_wire)

    def batch_handler(self, provider: Handler) -> Handler:
        """Return the handler for a provider's batch: no concurrency or rate limit, batch prices."""
        budget, _ = self._limits
        spending = WithinBudget(budget, batch=True) if budget else None
        return stack([*self._outer, *self._inner, spending], provider)

    def outer_handler(self, handle: Handler) -> Handler:
        """Return the layers that watch and count calls, around a handler that does the rest."""
        return stack(self._outer, handle)

    def inner_options(self) -> dict[str, Any]:
        """Return the options for engines in other processes, inside this one's `outer_handler`.

        Raises ConfigError if layers or limits would not be shared between processes.
        """
        if any(layer is not None for layer in self._own):
            raise ConfigError(
                "layers of your own stay in this process: other processes need a client without "
                "middleware=..."
            )
        budget, limit = self._limits
        for name, shared in (("budget_limit=Budget", budget), ("rate_limit=RateLimit", limit)):
            if shared is not None and not shared.is_shared:
                raise ConfigError(
                    f"each process would have this limit for itself: {name}(..., pool=...), with "
                    "the address of a Redis or of a file, is shared"
                )
        return {**self._given, "budget_limit": budget, "rate_limit": limit, "track_costs": False}

    @property
    def transport(self) -> Transport:
        """The transport to all providers; raises ConfigError if the client was given a provider."""
        if not isinstance(self._bottom, Router):
            raise ConfigError("a provider's batch API needs a client without provider=...")
        return self._transport

    def require_cache(self) -> Cache:
        """Return the cache; raises ConfigError if there is none."""
        if self._cache is None:
            raise ConfigError("this client has no cache: Flashlite(cache=MemoryCache())")
        return self._cache

    def build(
        self,
        messages: MessageInput | None,
        model: str | None,
        options: CallOptions,
        response_model: type[Any] | None = None,
    ) -> CompletionRequest:
        """Return the request of a call, with this client's default options filled in."""
        given: dict[str, Any] = {**self.defaults, **_without_none(options)}
        own = {name: given.pop(name) for name in [*given] if name in _OWN}
        if own.get("cache") == "only":
            self.require_cache()
        template, variables = own.pop("template", None), own.pop("variables", None)
        if template is not None:
            messages = self.templates.messages(template, variables, after=messages)
        elif variables is not None:
            raise ConfigError("variables fill in a template: pass template=...")
        model = model or self.default_model or env.get("FLASHLITE_DEFAULT_MODEL")
        own["response_model"] = response_model
        return build_request(messages or (), model=model, params=given, **own)


_SETTINGS = inspect.signature(Engine.__init__).parameters.keys() - {"self", "defaults"}


def _without_none(options: CallOptions) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


_OWN = CallOptions.__annotations__.keys() - CompletionParams.__annotations__.keys()
