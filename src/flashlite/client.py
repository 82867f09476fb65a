"""The engine: one call over every provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Literal, Self, Unpack, overload

from . import env
from .build import build_request, check_names
from .errors import APITimeoutError, ConfigError
from .middleware import Middleware, Retry, RetryConfig, stack
from .providers import Router
from .sync import run_sync
from .types import (
    CompletionParams,
    CompletionRequest,
    CompletionResponse,
    Handler,
    MessageInput,
    StreamEvent,
    Timeout,
)
from .wire import AiohttpTransport, Transport


class CallOptions(CompletionParams, total=False):
    """What a call takes beside its messages and its model.

    `sample` tells independent draws of one prompt apart. `timeout` is seconds in total, or a
    `Timeout`. `extra_headers` and `extra_body` are sent as they are, over what flashlite says.
    `on_send` is called with the JSON body right before each send.
    """

    tools: Iterable[Mapping[str, Any]] | None
    sample: int | None
    timeout: float | Timeout | None
    api_key: str | None
    base_url: str | None
    extra_headers: Mapping[str, str] | None
    extra_body: Mapping[str, Any] | None
    strict_params: bool
    on_send: Callable[[Mapping[str, Any]], None] | None


class Flashlite:
    """A client for every model.

    `defaults` are call options that hold for every call which does not say otherwise. `provider`
    answers all calls instead of the provider that a model's name leads to. `middleware` are layers
    of your own, outermost first, around those of flashlite. One client serves any number of tasks,
    threads (through `complete_sync`) and event loops.
    """

    def __init__(
        self,
        default_model: str | None = None,
        *,
        retry: RetryConfig | None = None,
        middleware: Iterable[Middleware] = (),
        provider: Handler | None = None,
        transport: Transport | None = None,
        **defaults: Unpack[CallOptions],
    ) -> None:
        if "model" in defaults:
            raise ConfigError(
                "a client's own model is default_model=...: Flashlite('openai/gpt-4o')"
            )
        check_names(defaults, CallOptions.__annotations__.keys())
        if callable(middleware):
            raise ConfigError("middleware is a list of layers: middleware=[layer]")
        self.default_model = default_model
        self._defaults = defaults
        self._transport = transport or AiohttpTransport(proxy_for=env.proxy_for)
        self._handler = stack(
            [*middleware, Retry(retry)],
            provider or Router(self._transport),
        )

    async def complete(
        self, messages: MessageInput, *, model: str | None = None, **options: Unpack[CallOptions]
    ) -> CompletionResponse:
        """Ask for one answer.

        Raises ConfigError, before anything is sent, when the call cannot work as written, and
        CompletionError when it was tried and brought no answer.
        """
        return await self._ask(self._build(messages, model, options))

    async def stream(
        self, messages: MessageInput, *, model: str | None = None, **options: Unpack[CallOptions]
    ) -> AsyncGenerator[StreamEvent]:
        """Ask for one answer and yield it piece by piece; the last event is DONE.

        A stream that ends before the answer is whole raises StreamInterruptedError. A reader who
        may stop early wraps the call in `contextlib.aclosing`, which closes the connection.
        """
        request = self._build(messages, model, options).with_(stream=True)
        response = await self._ask(request)
        async with aclosing(response.events()) as events:
            async for event in events:
                yield event

    @overload
    async def complete_many(
        self,
        requests: Iterable[MessageInput | Mapping[str, Any]],
        *,
        max_concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
    ) -> list[CompletionResponse]: ...

    @overload
    async def complete_many(
        self,
        requests: Iterable[MessageInput | Mapping[str, Any]],
        *,
        max_concurrency: int = ...,
        return_exceptions: bool,
    ) -> list[CompletionResponse | BaseException]: ...

    async def complete_many(
        self,
        requests: Iterable[MessageInput | Mapping[str, Any]],
        *,
        max_concurrency: int = 10,
        return_exceptions: bool = False,
    ) -> Any:
        """Ask for many answers at once and return them in the order of the requests.

        A request is a dict of arguments of `complete`, or just its messages. The first
        failure stops the rest and is raised, unless `return_exceptions` puts each failure in its
        place.
        """
        if isinstance(requests, str | Mapping):
            raise ConfigError("complete_many takes a list of requests; for one call complete()")
        if max_concurrency < 1:
            raise ConfigError(f"max_concurrency is at least 1; got {max_concurrency}")
        seats = asyncio.Semaphore(max_concurrency)

        async def ask(one: MessageInput | Mapping[str, Any]) -> CompletionResponse:
            arguments: dict[str, Any] = {"messages": one}
            if isinstance(one, Mapping) and "role" not in one:
                arguments = dict(one)
                if "messages" not in one:
                    raise ConfigError(f"a request needs messages; got {', '.join(map(str, one))}")
            async with seats:
                return await self.complete(**arguments)

        tasks = [asyncio.ensure_future(ask(one)) for one in requests]
        try:
            return await asyncio.gather(*tasks, return_exceptions=return_exceptions)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def complete_sync(
        self, messages: MessageInput, *, model: str | None = None, **options: Unpack[CallOptions]
    ) -> CompletionResponse:
        """Do what `complete` does, without `await`: in scripts, threads and notebooks."""
        return run_sync(self.complete(messages, model=model, **options))

    async def aclose(self) -> None:
        """Close the connections that this event loop holds; the client stays usable."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _ask(self, request: CompletionRequest) -> CompletionResponse:
        """Send a request through the layers, of which one may be a caller's own."""
        try:
            response = await self._handler(request)
        except TimeoutError as error:  # Inspect takes one for the end of a sample, without an error
            raise APITimeoutError(f"a layer ran out of time: {error}".rstrip(": ")) from error
        if not isinstance(response, CompletionResponse):
            raise ConfigError(
                f"a layer or provider returned {type(response).__name__}: it has to return the "
                "response of call_next(request), or one of its own"
            )
        return response

    def _build(
        self, messages: MessageInput, model: str | None, options: CallOptions
    ) -> CompletionRequest:
        said = {name: value for name, value in options.items() if value is not None}
        given: dict[str, Any] = {**self._defaults, **said}
        own = {name: given.pop(name) for name in _OWN & given.keys()}
        model = model or self.default_model or env.get("FLASHLITE_DEFAULT_MODEL")
        return build_request(messages, model=model, params=given, **own)


_OWN = CallOptions.__annotations__.keys() - CompletionParams.__annotations__.keys()
