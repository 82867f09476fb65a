"""litellm's `completion`, `embedding`, and their async forms."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from functools import cache
from typing import Any

from ... import env
from ...client import Flashlite
from ...middleware import RetryConfig
from ...sync import iterate_sync, run_sync
from ...types import CompletionRequest, CompletionResponse, MessageInput, Usage
from ...wire import AiohttpTransport
from ..chunks import chunks
from .arguments import Asked, asked, asked_embedding
from .exceptions import litellms_kinds
from .legacy import with_function_call, with_tool_messages
from .objects import (
    EmbeddingResponse,
    ModelResponse,
    ModelResponseStream,
    embedding_response,
    model_chunk,
    model_response,
)


def completion(
    model: str, messages: MessageInput, **arguments: Any
) -> ModelResponse | Iterator[ModelResponseStream]:
    """Return one answer, or with `stream=True` an iterator of its chunks; see `acompletion`."""
    answer = run_sync(_acompletion(model, messages, arguments))
    return answer if isinstance(answer, ModelResponse) else iterate_sync(answer)


async def acompletion(
    model: str, messages: MessageInput, **arguments: Any
) -> ModelResponse | AsyncIterator[ModelResponseStream]:
    """Return one answer, or with `stream=True` an iterator of its chunks.

    Takes OpenAI's parameters and litellm's: `timeout`, `api_key`, `api_base`, `num_retries`,
    `fallbacks`, `drop_params`, `extra_headers`, `extra_body`, `mock_response`. Others go into the
    body of the request. `metadata` is not sent, as in litellm; its `tags` become the request's
    tags. A `response_format` may be a Pydantic model: the content then fits it, or
    JSONSchemaValidationError is raised.
    """
    return await _acompletion(model, messages, arguments)


def embedding(model: str, input: str | Iterable[str], **arguments: Any) -> EmbeddingResponse:
    """Turn texts into vectors, which are always lists of numbers."""
    return run_sync(aembedding(model, input, **arguments))


async def aembedding(model: str, input: str | Iterable[str], **arguments: Any) -> EmbeddingResponse:
    """Turn texts into vectors, which are always lists of numbers."""
    began = time.perf_counter()
    with litellms_kinds():
        call = asked_embedding(model, arguments)
        result = await _engine(call.retries).embed(input, model=call.model, **call.options)
    return embedding_response(result, took=time.perf_counter() - began)


async def _acompletion(
    model: str, messages: MessageInput, arguments: dict[str, Any]
) -> ModelResponse | AsyncGenerator[ModelResponseStream]:
    began = time.perf_counter()
    with litellms_kinds():
        call = asked(model, arguments)
        if isinstance(call.mock, BaseException):
            raise call.mock
        engine = _engine(call.retries) if call.mock is None else _mock(call.mock)
        if not isinstance(messages, str):
            messages = with_tool_messages(messages)
        if call.stream:
            return await _opened(_stream(engine, messages, call))
        response = await engine.ask(messages, model=call.model, **call.options)
    answer = model_response(response, took=time.perf_counter() - began)
    return with_function_call(answer) if call.legacy else answer


async def _stream(
    engine: Flashlite, messages: MessageInput, call: Asked
) -> AsyncGenerator[ModelResponseStream]:
    events = engine.stream(messages, model=call.model, **call.options)
    pieces = chunks(events, model=call.model, include_usage=call.include_usage)
    async with aclosing(pieces):
        with litellms_kinds():
            async for piece in pieces:
                yield model_chunk(piece)


async def _opened(
    source: AsyncGenerator[ModelResponseStream],
) -> AsyncGenerator[ModelResponseStream]:
    """Wait for the first chunk, so that the call itself raises earlier errors."""
    first = await anext(source)

    async def resumed() -> AsyncGenerator[ModelResponseStream]:
        async with aclosing(source):
            yield first
            async for chunk in source:
                yield chunk

    return resumed()


@cache
def _transport() -> AiohttpTransport:
    return AiohttpTransport(proxy_for=env.proxy_for)


@cache
def _engine(retries: int | None) -> Flashlite:
    """Return the client shared by all calls with this number of retries; all use one transport."""
    retry = None if retries is None else RetryConfig(max_attempts=retries + 1)
    return Flashlite(retry=retry, transport=_transport())


def _mock(text: Any) -> Flashlite:
    return Flashlite(provider=_saying(str(text)))


def _saying(text: str) -> Callable[[CompletionRequest], Any]:
    async def answer(request: CompletionRequest) -> CompletionResponse:
        # The counts that litellm gives every mocked answer.
        usage = Usage(input_tokens=10, output_tokens=20)
        return CompletionResponse.of(text, model=request.model, provider="mock", usage=usage)

    return answer
