"""Callbacks for every call: when it begins, is answered, or fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from typing import Any, TypeAlias, TypeVar

from ..errors import ConfigError, StreamInterruptedError
from ..types import CompletionRequest, CompletionResponse, Handler

log = logging.getLogger("flashlite.events")

RequestCallback: TypeAlias = Callable[[CompletionRequest, str], Any]
"""Called with the request and its id."""

ResponseCallback: TypeAlias = Callable[[CompletionResponse, str, float, bool], Any]
"""Called with the response, the request's id, milliseconds, and whether the answer was cached."""

ErrorCallback: TypeAlias = Callable[[Any, str, float], Any]
"""Called with the error, the request's id, and the milliseconds since the call began."""

OnRequest = TypeVar("OnRequest", bound=RequestCallback)
OnResponse = TypeVar("OnResponse", bound=ResponseCallback)
OnError = TypeVar("OnError", bound=ErrorCallback)


class CallbackManager:
    """Functions to call around every request, plain or coroutine functions.

    `on_request`, `on_response` and `on_error` register a function and return it, so they work as
    decorators too; functions of a kind are called in the order of registration. An exception in one
    is logged and has no other effect. The milliseconds of an answer are the time on the wire,
    without waiting for limits or retries; for a cached answer, the time of the look-up. A streamed
    answer counts when it is complete; one that broke or was given up is an error, and one that
    nobody reads or closes is not reported. A cancelled call has no callback.
    """

    def __init__(self) -> None:
        self._on_request: tuple[RequestCallback, ...] = ()
        self._on_response: tuple[ResponseCallback, ...] = ()
        self._on_error: tuple[ErrorCallback, ...] = ()

    def on_request(self, callback: OnRequest) -> OnRequest:
        """Call `callback(request, request_id)` when a request begins."""
        self._on_request += (_checked(callback),)
        return callback

    def on_response(self, callback: OnResponse) -> OnResponse:
        """Call `callback(response, request_id, latency_ms, cached)` for a complete answer."""
        self._on_response += (_checked(callback),)
        return callback

    def on_error(self, callback: OnError) -> OnError:
        """Call `callback(error, request_id, latency_ms)` for a call that failed."""
        self._on_error += (_checked(callback),)
        return callback

    async def asked(self, request: CompletionRequest) -> None:
        """Run the callbacks for a request that begins."""
        await _call_all(self._on_request, request, request.id)

    async def answered(
        self, request: CompletionRequest, response: CompletionResponse, *, latency_ms: float
    ) -> None:
        """Run the callbacks for a request that was answered."""
        await _call_all(self._on_response, response, request.id, latency_ms, response.cached)

    async def failed(
        self, request: CompletionRequest, error: Exception, *, latency_ms: float
    ) -> None:
        """Run the callbacks for a request that failed."""
        await _call_all(self._on_error, error, request.id, latency_ms)


class Events:
    """Report every call to a `CallbackManager`."""

    def __init__(
        self, callbacks: CallbackManager, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        if not isinstance(callbacks, CallbackManager):
            raise ConfigError(f"callbacks is a CallbackManager(); got {callbacks!r:.80}")
        self._callbacks = callbacks
        self._clock = clock

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        await self._callbacks.asked(request)
        started = self._clock()
        try:
            response = await call_next(request)
        except Exception as error:
            await self._callbacks.failed(request, error, latency_ms=self._since(started))
            raise
        found_in = self._since(started)
        await response.on_complete(partial(self._complete, request, started, found_in))
        return response

    async def _complete(
        self,
        request: CompletionRequest,
        started: float,
        found_in: float,
        response: CompletionResponse,
    ) -> None:
        if response.ok:
            latency = answer_ms(response, found_in=found_in)
            await self._callbacks.answered(request, response, latency_ms=latency)
        else:
            error = broken(request, response)
            await self._callbacks.failed(request, error, latency_ms=self._since(started))

    def _since(self, started: float) -> float:
        return (self._clock() - started) * 1000


def answer_ms(response: CompletionResponse, *, found_in: float) -> float:
    """Return an answer's milliseconds on the wire, or `found_in` if it was cached."""
    if response.cached or response.latency is None:
        return found_in
    return response.latency * 1000


def broken(request: CompletionRequest, response: CompletionResponse) -> StreamInterruptedError:
    """Return the error for a response that is not a complete answer."""
    error = StreamInterruptedError(
        response.error or f"status {response.status}",
        provider=response.provider,
        model=request.model,
        request_id=response.request_id,
    )
    error.attempts = response.attempts
    return error


def _checked(callback: Any) -> Any:
    if not callable(callback):
        raise ConfigError(f"a callback is a function; got {callback!r:.80}")
    return callback


async def _call_all(callbacks: tuple[Callable[..., Any], ...], *arguments: Any) -> None:
    for callback in callbacks:
        try:
            result = callback(*arguments)
            if isawaitable(result):
                await result
        except Exception:
            name = getattr(callback, "__name__", type(callback).__name__)
            log.exception("the callback %s failed", name)
