"""The engine: one call over every provider."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import Any, Self, TypeVar, Unpack, overload

from . import env
from .build import build_request, check_client, kept
from .errors import ConfigError, StoreError
from .many import Crowd, OneInput, collect
from .middleware import (
    Aim,
    Budget,
    Cache,
    CallbackManager,
    Concurrency,
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
    fitting,
    outermost,
    stack,
)
from .options import CallOptions, ClientOptions
from .progress import shown
from .providers import Router
from .stores import Store
from .sync import run_sync
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

T = TypeVar("T")


class Flashlite:
    """A client for every model.

    `cache` is a store (`MemoryCache`, `DiskCache`, `FSCache`). `rate_limit` is what may be sent in
    a minute, `max_concurrency` how many calls may run at once, `budget_limit` how many dollars may
    be spent; a `RateLimit` or a `Budget` object may be shared by several clients. `callbacks` are
    told of every call, `structured_logger` writes them down as JSON lines, `log_requests` does so
    in Python's log "flashlite.requests", and `track_costs=False` leaves the cost report out.

    `provider` answers all calls instead of the provider that a model's name leads to. `middleware`
    are layers of your own, outermost first, around those of flashlite. The rest are call options
    that hold for every call which does not say otherwise. One client serves any number of tasks,
    threads (through `complete_sync`) and event loops.
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
        middleware: Iterable[Middleware] = (),
        provider: Handler | None = None,
        transport: Transport | None = None,
        **defaults: Unpack[ClientOptions],
    ) -> None:
        check_client(defaults, middleware=middleware, cache=cache, provider=provider)
        self.default_model, self._defaults = default_model, kept(defaults)
        self.ledger = Ledger()
        self._on_wire, self._entered = OnWire(), 0
        self._transport = transport or AiohttpTransport(proxy_for=env.proxy_for)
        bottom = provider or Router(self._transport)
        self._target = target_of(bottom)
        self._cache = None if cache is None else Cache(cache)
        self._logger = structured_logger or (StructuredLogger() if log_requests else None)
        budget, limit = Budget.of(budget_limit), RateLimit.of(rate_limit)
        layers = [
            outermost,
            *middleware,
            Fallback(self._target),
            Events(callbacks) if callbacks else None,
            Log(self._logger) if self._logger else None,
            self.ledger if track_costs else None,
            Aim(self._target) if (cache, budget, limit) != (None,) * 3 else None,
            self._cache,
            Structured(target=self._target),
            Retry(retry),
            Concurrency(max_concurrency) if max_concurrency is not None else None,
            limit,
            WithinBudget(budget) if budget else None,
            self._on_wire,
        ]
        self._handler = stack(layers, bottom)

    @overload
    async def complete(
        self,
        messages: MessageInput,
        *,
        model: str | None = ...,
        response_model: type[T],
        **options: Unpack[CallOptions],
    ) -> T: ...

    @overload
    async def complete(
        self,
        messages: MessageInput,
        *,
        model: str | None = ...,
        response_model: None = ...,
        **options: Unpack[CallOptions],
    ) -> CompletionResponse: ...

    async def complete(
        self,
        messages: MessageInput,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Ask for one answer; with a `response_model`, return the answer as an instance of it.

        Raises ConfigError, before anything is sent, when the call cannot work as written,
        CompletionError when it was tried and brought no answer, and StructuredOutputError when
        no answer fitted the `response_model`.
        """
        response = await self._fitting(
            messages, model=model, response_model=response_model, **options
        )
        return response if response_model is None else response.parsed

    async def ask(
        self,
        messages: MessageInput,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> CompletionResponse:
        """Do what `complete` does and always return the whole response.

        With a `response_model` the instance is in `response.parsed`, None where the model called
        tools or refused.
        """
        return await self._handler(self._build(messages, model, options, response_model))

    async def stream(
        self,
        messages: MessageInput,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[StreamEvent]:
        """Ask for one answer and yield it piece by piece; the last event is DONE.

        A stream that ends before the answer is whole raises StreamInterruptedError. With a
        `response_model`, PARTIAL events have the value as far as it is written. A reader who may
        stop early wraps the call in `contextlib.aclosing`, which closes the connection.
        """
        request = self._build(messages, model, options, response_model).with_(stream=True)
        response = await self._handler(request)
        async with aclosing(response.events()) as events:
            async for event in events:
                yield event

    async def complete_many(
        self,
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        *,
        max_concurrency: int = 10,
        return_exceptions: bool = False,
        progress: bool = False,
    ) -> list[Any]:
        """Ask for many answers at once and return them in the order of the requests.

        A request is a dict of arguments of `complete`, or just its messages. An answer is a
        CompletionResponse, or an instance of the request's `response_model`. The first failure
        stops what was not sent yet and is raised when what was sent has come back; `error.answers`
        has all that was answered, by position. With `return_exceptions`, each failure is in its
        place instead. `progress` draws a bar where standard error is a terminal.
        """
        crowd = self._crowd(self._fitting, requests, max_concurrency)
        outcomes = crowd.outcomes()
        if progress:
            outcomes = shown(outcomes, requests=requests)
        return await collect(outcomes, None if return_exceptions else crowd.stop)

    async def as_completed(
        self,
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        *,
        max_concurrency: int = 10,
    ) -> AsyncGenerator[tuple[int, CompletionResponse | Exception]]:
        """Ask for many answers and yield each when it comes, with its request's position.

        Takes any source, also an endless or asynchronous one, and keeps nothing that was yielded. A
        failure is yielded in its place. A reader who may stop early closes the iterator
        (`contextlib.aclosing`), which ends what is running.
        """
        outcomes = self._crowd(self.ask, requests, max_concurrency).outcomes()
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield outcome

    @overload
    def complete_sync(
        self,
        messages: MessageInput,
        *,
        model: str | None = ...,
        response_model: type[T],
        **options: Unpack[CallOptions],
    ) -> T: ...

    @overload
    def complete_sync(
        self,
        messages: MessageInput,
        *,
        model: str | None = ...,
        response_model: None = ...,
        **options: Unpack[CallOptions],
    ) -> CompletionResponse: ...

    def complete_sync(
        self,
        messages: MessageInput,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Do what `complete` does, without `await`: in scripts, threads and notebooks."""
        call = self.complete(messages, model=model, response_model=response_model, **options)
        return run_sync(call)

    @property
    def total_cost(self) -> float:
        """US dollars that all calls of this client cost, as far as prices are known."""
        return self.ledger.total.paid

    @property
    def total_tokens(self) -> int:
        """Tokens that were paid for, in and out."""
        return self.ledger.total.tokens["total"]

    def get_cost_report(self) -> dict[str, Any]:
        """Return what was paid, saved by the cache and wasted: in all, per model, agent and tag."""
        return self.ledger.report()

    async def cache_stats(self) -> dict[str, Any]:
        """Return hits, misses, `hit_rate` (0 to 1) and how much the cache holds."""
        return await self._require_cache().stats()

    async def clear_cache(self, *, collection: str | None = None) -> int:
        """Forget one collection of stored answers, or all; return how many answers that was."""
        return await self._require_cache().store.clear(collection=collection)

    async def explain(
        self,
        messages: MessageInput,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> list[str]:
        """Say why a call is not answered from the cache: how the nearest stored request differs.

        One line a field, such as `params.temperature: 0 here, 0.7 stored`; empty for a hit.
        """
        request = self._build(messages, model, options, response_model)
        request = request.with_(target=self._target(request))
        return await self._require_cache().explain(request)

    async def aclose(self) -> None:
        """Close what this event loop holds and write what is to be written; it stays usable."""
        await self._transport.aclose()
        if self._logger is not None:
            await self._logger.aflush()
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
        except StoreError as error:  # what was answered is not lost for want of a cache
            logging.getLogger("flashlite.cache").warning("not all could be stored: %s", error)

    async def _fitting(self, messages: MessageInput, **arguments: Any) -> CompletionResponse:
        return fitting(await self.ask(messages, **arguments), arguments.get("response_model"))

    def _crowd(self, ask: Callable[..., Any], requests: Any, workers: int) -> Crowd:
        return Crowd(ask, requests, workers=workers, wire=self._on_wire)

    def _require_cache(self) -> Cache:
        if self._cache is None:
            raise ConfigError("this client has no cache: Flashlite(cache=MemoryCache())")
        return self._cache

    def _build(
        self,
        messages: MessageInput,
        model: str | None,
        options: CallOptions,
        response_model: type[Any] | None = None,
    ) -> CompletionRequest:
        said = {name: value for name, value in options.items() if value is not None}
        given: dict[str, Any] = {**self._defaults, **said}
        own = {name: given.pop(name) for name in _OWN & given.keys()}
        if own.get("cache") == "only":
            self._require_cache()
        model = model or self.default_model or env.get("FLASHLITE_DEFAULT_MODEL")
        own["response_model"] = response_model
        return build_request(messages, model=model, params=given, **own)


_OWN = CallOptions.__annotations__.keys() - CompletionParams.__annotations__.keys()
