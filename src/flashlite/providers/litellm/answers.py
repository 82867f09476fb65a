"""Parsing litellm's answers, without what litellm itself adds to the server's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from ...errors import APITimeoutError, StreamInterruptedError
from ...models import priced
from ...types import CompletionRequest, CompletionResponse, Delta, Usage
from ..embeddings import parse_embeddings
from ..openai import parse_chunk, parse_completion
from ..reading import is_json, require_all
from ..refusals import request_id
from .errors import raw_headers

_BROKEN_OFF = frozenset({"error", "abort"})


def parse(request: CompletionRequest, answer: Any, original: Any) -> CompletionResponse:
    """Parse a whole answer; `original` is what the server sent, as litellm logs it."""
    data = answer.model_dump()
    if request.api == "embeddings":
        response = parse_embeddings(data)
        require_all(request, response)
    else:
        _restore_reasons(data, original)
        response = parse_completion(data)
    describe(response, answer, request)
    if response.usage is not None and response.usage.total_cost is None:
        response.usage = priced(response.usage, request.model)
    return response


def describe(response: CompletionResponse, answer: Any, request: CompletionRequest) -> None:
    """Set the provider, model and headers of a response."""
    response.provider = request.model.partition("/")[0]
    response.headers = headers_of(answer)
    response.request_id = request_id(response.headers)


def headers_of(answer: Any) -> dict[str, str]:
    """Return the headers of an answer or of a stream."""
    hidden = getattr(answer, "_hidden_params", None)
    return raw_headers(hidden.get("additional_headers") if isinstance(hidden, Mapping) else None)


def price_of(request: CompletionRequest, chunks: Any) -> Callable[[Usage], Usage]:
    """Return a function that adds the cost to the usage of a stream."""

    def price(usage: Usage) -> Usage:
        # litellm puts its own estimates of cost and usage where the server's values belong.
        came = getattr(chunks, "chunks", ())
        was_told = any(getattr(chunk, "usage", None) for chunk in came)
        return priced(replace(usage, total_cost=None, estimated=not was_told), request.model)

    return price


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An open stream of litellm: `next_chunk` returns None at its end, `close` ends it."""

    chunks: Any
    started: float
    limit: float | None
    next_chunk: Callable[[], Awaitable[Any]]
    close: Callable[[], Awaitable[None]]

    async def deltas(self, response: CompletionResponse) -> AsyncGenerator[Delta]:
        """Yield the server's deltas; raise StreamInterruptedError if it did not finish."""
        # litellm looks for a stream in a one-piece answer and finds nothing.
        is_lost = is_json(response.headers)
        try:
            while (chunk := await self._next()) is not None:
                for delta in parse_chunk(chunk.model_dump()):
                    is_lost = is_lost and not (delta.text or delta.reasoning or delta.tool_call)
                    yield delta
            if is_lost or not _was_finished(self.chunks):
                raise StreamInterruptedError("the stream ended before the answer was finished")
        finally:
            response.latency = perf_counter() - self.started
            await self.close()

    async def _next(self) -> Any:
        left = None if self.limit is None else self.limit - (perf_counter() - self.started)
        try:
            async with asyncio.timeout(left):
                return await self.next_chunk()
        except TimeoutError as error:
            raise APITimeoutError(f"no answer within {self.limit} s") from error


def _restore_reasons(data: dict[str, Any], original: Any) -> None:
    """Restore the finish reasons that litellm replaced by "stop" as missing or unknown."""
    told, choices = _reasons(original), data.get("choices") or ()
    if len(told) == len(choices):
        for choice, reason in zip(choices, told, strict=True):
            if not reason or str(reason).lower() in _BROKEN_OFF:
                choice["finish_reason"] = str(reason).lower() if reason else None


def _reasons(original: Any) -> list[Any]:
    """Return the server's own finish reasons, in any of the usual forms."""
    try:
        answer = json.loads(original) if isinstance(original, str) else original
    except ValueError:
        return []
    if not isinstance(answer, Mapping):
        return []
    for name, key in (("choices", "finish_reason"), ("candidates", "finishReason")):
        if isinstance(several := answer.get(name), list):
            return [one.get(key) for one in several if isinstance(one, Mapping)]
    return [answer[key] for key in ("finish_reason", "stop_reason") if key in answer]


def _was_finished(chunks: Any) -> bool:
    """Return whether the server gave a finish reason; if not, litellm invents "stop"."""
    if getattr(chunks, "uses_openai_chat_stream", False):
        return bool(getattr(chunks, "received_any_finish_reason", True))
    return getattr(chunks, "received_finish_reason", "") is not None
