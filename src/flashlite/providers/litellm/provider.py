"""Every provider without a native dialect, through litellm.

litellm maps and sends one request; deadlines, retries, prices and errors are flashlite's. It is
imported with the first call, runs on its own loop thread (its clients break when loops come and
go), and its retries are off, because its defaults would repeat a paid request unnoticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from time import perf_counter
from typing import Any

from ...errors import APIConnectionError, CompletionError, ConfigError
from ...loop_thread import LoopThread
from ...types import CompletionRequest, CompletionResponse, StreamEvent, assemble
from ..accepted import accepted
from ..refusals import signed
from .answers import Stream, describe, headers_of, parse, price_of
from .arguments import arguments, as_passed, dropped, wire_body
from .errors import typed
from .library import library, require_safe_stream
from .secrets import Secrets

_THREAD = LoopThread("flashlite-litellm")


class LiteLLMProvider:
    """Calls litellm; `request.model` is litellm's name with its prefix (`cohere/command-r`).

    litellm rewrites a request for its provider. `on_send` gets the JSON that it sends, or, if
    litellm does not show that, the arguments it was given, once an answer proves that it was sent.
    """

    def __init__(self) -> None:
        self._reported: set[str] = set()

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        if request.stream:
            require_safe_stream(choices=request.params.get("n", 1))
        litellm = await _THREAD.run(_loaded())
        names = dropped(litellm, request)
        request = accepted(request, names, name="litellm", reported=self._reported)
        call = _Call(litellm, request)
        with call.signing_errors():
            answer = await call.answer()
        with call.signing_errors(answer):
            if request.stream:
                return await CompletionResponse.open(partial(call.events, answer))
            response = parse(request, answer, call.original)
        response.latency = perf_counter() - call.started
        return response


async def _loaded() -> Any:
    """Import litellm on its own thread, because that takes seconds and would block other loops."""
    return library()


class _Call:
    """One request on litellm's thread: what was sent, and what comes back."""

    def __init__(self, litellm: Any, request: CompletionRequest) -> None:
        self.started = perf_counter()
        self.original: Any = None
        self._litellm = litellm
        self._request = request
        self._arguments = arguments(request)
        self._secrets = Secrets(self._arguments, request.model)
        self._loop = asyncio.get_running_loop()
        self._shown: asyncio.Future[Mapping[str, Any]] = self._loop.create_future()
        self._was_sent = False
        self._task: asyncio.Task[Any] | None = None
        self._answer: Any = None

    async def answer(self) -> Any:
        """Return litellm's answer or stream; raise only flashlite's errors."""
        future = asyncio.wrap_future(_THREAD.submit(self._ask()))
        try:
            await asyncio.wait({future, self._shown}, return_when=asyncio.FIRST_COMPLETED)
            self._tell(future)
            return await future
        except BaseException:
            future.cancel()
            if self._request.stream:  # the stream may just have opened
                _THREAD.submit(self._close())
            raise

    async def events(
        self, chunks: Any, response: CompletionResponse
    ) -> AsyncGenerator[StreamEvent]:
        """Yield the events of a stream and fill in `response`."""
        describe(response, chunks, self._request)
        deltas = Stream(
            chunks=chunks,
            started=self.started,
            limit=self._request.timeout.total,
            next_chunk=lambda: _THREAD.run(self._next()),
            close=lambda: _THREAD.run(self._close()),
        ).deltas(response)
        whole = assemble(deltas, response, price=price_of(self._request, chunks))
        with self.signing_errors(chunks):
            async with aclosing(whole) as events:
                async for event in events:
                    yield event

    @contextmanager
    def signing_errors(self, answer: Any = None) -> Iterator[None]:
        """Add provider and model to errors, and remove secrets."""
        try:
            yield
        except CompletionError as error:
            secrets, received = self._secrets.as_headers(), headers_of(answer)
            try:
                with signed(
                    "litellm", self._request.model, api_key=None, sent=secrets, received=received
                ):
                    raise
            finally:
                if error.__cause__ is None:  # the cause held a secret, or there was none
                    error.__context__ = None

    async def _ask(self) -> Any:
        is_embedding = self._request.api == "embeddings"
        ask = self._litellm.aembedding if is_embedding else self._litellm.acompletion
        self._answer = await self._mapped(ask(**self._arguments, logger_fn=self._note))
        return self._answer

    async def _next(self) -> Any:
        return await self._mapped(anext(self._answer, None))

    async def _mapped(self, awaitable: Any) -> Any:
        """Await on litellm's thread; its exceptions stay there, because they contain keys."""
        self._task = asyncio.current_task()
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._task is None or self._task.cancelling():
                raise
            failure: Exception = APIConnectionError("litellm cancelled the request by itself")
        except Exception as error:  # noqa: BLE001 - litellm raises anything; each is mapped
            failure = typed(error, self._request.model, was_sent=self._was_sent)
        if isinstance(failure, ConfigError):
            failure = ConfigError(self._secrets.strike(str(failure)))
        raise failure

    async def _close(self) -> None:
        """Close the stream, if there is one, once its reader has stopped."""
        if self._task is not None:
            await asyncio.wait({self._task})
        if (close := getattr(self._answer, "aclose", None)) is not None:
            await close()

    def _note(self, details: Mapping[str, Any]) -> None:
        """Record what is sent and received; litellm calls this from any thread."""
        if details.get("log_event_type") != "pre_api_call":
            self.original = details.get("original_response")
            return
        more = details.get("additional_args") or {}
        self._was_sent = True
        address, headers = more.get("api_base"), more.get("headers")
        self._secrets.note(key=details.get("api_key"), address=address, headers=headers)
        if self._request.on_send is not None:
            body = wire_body(more.get("complete_input_dict"))
            with suppress(RuntimeError):  # the caller's loop is closed
                self._loop.call_soon_threadsafe(self._show, body or as_passed(self._arguments))

    def _show(self, body: Mapping[str, Any]) -> None:
        if not self._shown.done():
            self._shown.set_result(body)

    def _tell(self, answer: asyncio.Future[Any]) -> None:
        """Pass on what was sent, once, on the caller's loop."""
        if self._request.on_send is None:
            return
        if self._shown.done():
            self._request.on_send(self._shown.result())
            return
        error = None if answer.cancelled() else answer.exception()
        if error is None or getattr(error, "status_code", None) is not None:
            self._request.on_send(as_passed(self._arguments))
