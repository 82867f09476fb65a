"""Every provider without a native dialect, by way of litellm.

litellm maps and sends one request; deadlines, retries, prices and errors stay ours. It is imported
with the first call, runs on a loop thread of its own (its clients break when loops come and go),
and all its retries are off, because its defaults would repeat a paid request unseen.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from copy import deepcopy
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, cast

from ... import env
from ...errors import APITimeoutError, StreamInterruptedError
from ...loop_thread import LoopThread
from ...models import priced
from ...types import CompletionRequest, CompletionResponse, Delta, StreamEvent, Usage, assemble
from ..http import accepted
from ..openai import parse_chunk, parse_completion
from ..refusals import request_id, signed
from .errors import raw_headers, typed
from .library import library, require_safe_stream

_THREAD = LoopThread("flashlite-litellm")
_LONG = 1e6  # seconds that litellm waits when we wait for ever; it has a limit of its own otherwise

_DELIVERY = frozenset(
    {"api_key", "api_base", "extra_headers", "num_retries", "max_retries", "timeout"}
)


class LiteLLMProvider:
    """Ask litellm; `request.model` is litellm's name with its prefix (`cohere/command-r`)."""

    def __init__(self) -> None:
        self._reported: set[str] = set()

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        if request.stream:
            require_safe_stream(choices=request.params.get("n", 1))
        litellm = await _THREAD.run(_loaded())
        dropped = _dropped(litellm, request)
        request = accepted(request, dropped, name="litellm", reported=self._reported)
        arguments = _arguments(request)
        if request.on_send is not None:
            request.on_send({k: v for k, v in arguments.items() if k not in _DELIVERY})
        started = perf_counter()
        with signed("litellm", request.model, api_key=arguments.get("api_key")):
            answer = await _THREAD.run(_send(litellm, arguments, request.model))
            if request.stream:
                return await CompletionResponse.open(partial(_events, answer, request, started))
            response = _parse(request, answer)
        response.latency = perf_counter() - started
        return response


async def _loaded() -> Any:
    """Import litellm on its own thread: that takes seconds, in which other loops go on."""
    return library()


async def _send(litellm: Any, arguments: dict[str, Any], model: str) -> Any:
    """Run one call on litellm's thread; raises our errors only."""
    try:
        return await litellm.acompletion(**arguments)
    except Exception as error:  # litellm raises anything; each is mapped
        raise typed(error, model) from error


def _dropped(litellm: Any, request: CompletionRequest) -> set[str]:
    """Name the parameters that litellm would leave out without a word."""
    dropped = {"metadata"}
    if "user" in request.params:
        known = litellm.get_supported_openai_params(model=request.model) or ()
        dropped |= {"user"} - set(known)
    return dropped


def _arguments(request: CompletionRequest) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        # litellm writes into what it gets.
        **deepcopy(dict(request.params)),
        "model": request.model,
        "messages": [deepcopy(message.to_dict()) for message in request.messages],
        "num_retries": 0,
        "max_retries": 0,
        "api_key": request.api_key or _key(request.model),
        "api_base": request.base_url,
        "extra_headers": dict(request.extra_headers) or None,
        "extra_body": deepcopy(dict(request.extra_body)) or None,
        "tools": [deepcopy(dict(tool)) for tool in request.tools] or None,
        # litellm builds one client per timeout it sees, so it gets whole seconds.
        "timeout": math.ceil(request.timeout.total or _LONG),
    }
    if request.stream:
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in arguments.items() if value is not None}


def _key(model: str) -> str | None:
    """Look the key up under the usual name, so that a `.env` file counts here too."""
    return env.get(f"{model.partition('/')[0].upper()}_API_KEY")


def _parse(request: CompletionRequest, answer: Any) -> CompletionResponse:
    response = parse_completion(answer.model_dump())
    _describe(response, answer, request)
    if response.usage is not None and response.usage.total_cost is None:
        response.usage = priced(response.usage, request.model)
    return response


def _describe(response: CompletionResponse, answer: Any, request: CompletionRequest) -> None:
    response.provider = request.model.partition("/")[0]
    response.headers = raw_headers(getattr(answer, "_hidden_params", None))
    response.request_id = request_id(response.headers)


async def _events(
    chunks: Any, request: CompletionRequest, started: float, response: CompletionResponse
) -> AsyncGenerator[StreamEvent]:
    _describe(response, chunks, request)

    def price(usage: Usage) -> Usage:
        # litellm puts its guess of the cost, and of the usage too, where the server's belongs.
        came = getattr(chunks, "chunks", ())
        was_told = any(getattr(chunk, "usage", None) for chunk in came)
        return priced(replace(usage, total_cost=None, estimated=not was_told), request.model)

    with signed("litellm", request.model, api_key=request.api_key or _key(request.model)):
        deltas = _deltas(chunks, request, started, response)
        async with aclosing(assemble(deltas, response, price=price)) as events:
            async for event in events:
                yield event


async def _deltas(
    chunks: Any, request: CompletionRequest, started: float, response: CompletionResponse
) -> AsyncGenerator[Delta]:
    async def next_chunk() -> Any:
        try:
            return await anext(cast("AsyncIterator[Any]", chunks), None)
        except Exception as error:  # litellm raises anything; each is mapped
            raise typed(error, request.model) from error

    async def close() -> None:
        await chunks.aclose()

    limit, is_lost = request.timeout.total, _came_whole(response)
    try:
        while True:
            left = None if limit is None else limit - (perf_counter() - started)
            async with asyncio.timeout(left):
                chunk = await _THREAD.run(next_chunk())
            if chunk is None:
                break
            for delta in parse_chunk(chunk.model_dump()):
                is_lost = is_lost and not (delta.text or delta.reasoning or delta.tool_call)
                yield delta
        if is_lost or not _was_finished(chunks):
            raise StreamInterruptedError("the stream ended before the answer was finished")
    except TimeoutError as error:
        raise APITimeoutError(f"no answer within {limit} s") from error
    finally:
        response.latency = perf_counter() - started
        await _THREAD.run(close())


def _came_whole(response: CompletionResponse) -> bool:
    """Whether the server sent one piece, in which litellm looks for a stream and finds nothing."""
    return response.headers.get("content-type", "").startswith("application/json")


def _was_finished(chunks: Any) -> bool:
    """Whether the server gave a finish reason: where it gave none, litellm says "stop" for it."""
    if getattr(chunks, "uses_openai_chat_stream", False):
        return bool(getattr(chunks, "received_any_finish_reason", True))
    return getattr(chunks, "received_finish_reason", "") is not None
