"""Answers that pause: further requests are sent until they are complete."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial, reduce
from math import inf
from typing import Any

from ..types import (
    CompletionRequest,
    CompletionResponse,
    Handler,
    StreamEvent,
    StreamEventType,
    Usage,
    continued,
)
from .tries import ask_after, sum_up, total

_MOST = 20  # parts of an answer, each of up to ten rounds of the provider's own tools


class Continuing:
    """Continue an answer that paused, and return it whole; each part is paid for.

    Claude pauses in a long turn of tools that Anthropic runs itself (web search, code), and goes on
    when its answer so far is sent back. An answer that still pauses after 20 parts, or when the
    time of the call is over, counts as cut off: its `finish_reason` is "length".

    Source: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        if not request.has_server_tools:
            return await call_next(request)
        rest = _Rest(request, call_next, self._clock)
        response = await call_next(request)
        if response.is_open:
            return await CompletionResponse.open(partial(rest.read, response))
        parts = [response]
        while (further := rest.behind(parts)) is not None:
            # The first part was not streamed, even if the request asked for a stream.
            parts.append(await ask_after(parts, further.with_(stream=False), call_next))
        return response if len(parts) == 1 else _join(CompletionResponse(), parts)


class _Rest:
    """The requests that may follow the first answer to a request."""

    def __init__(
        self, request: CompletionRequest, call_next: Handler, clock: Callable[[], float]
    ) -> None:
        self._request, self._call_next, self._clock = request, call_next, clock
        self._deadline = clock() + (request.timeout.total or inf)

    def behind(self, parts: Sequence[CompletionResponse]) -> CompletionRequest | None:
        """Return the request that continues these parts, or None where they are the answer."""
        request, last, left = self._request, parts[-1], self._deadline - self._clock()
        if last.facts.get("stop_reason") != "pause_turn" or len(parts) == _MOST or left <= 0:
            return None
        container = last.facts.get("container")
        same = {"container": container["id"]} if isinstance(container, Mapping) else {}
        total = None if request.timeout.total is None else left
        return request.with_(
            messages=(*request.messages, *(part.message for part in parts)),
            extra_body={**request.extra_body, **same},
            timeout=replace(request.timeout, total=total),
        )

    async def read(
        self, part: CompletionResponse, whole: CompletionResponse
    ) -> AsyncGenerator[StreamEvent]:
        """Yield the events of all parts as the events of one answer."""
        parts = [part]
        while True:
            _join(whole, parts)
            async with aclosing(_events_of(parts)) as events:
                try:
                    async for event in events:
                        yield event
                finally:
                    _join(whole, parts)
            further = self.behind(parts)
            if further is None:
                break
            whole.error = "the answer paused, and did not go on"
            parts.append(await ask_after(parts, further, self._call_next))
        yield StreamEvent(StreamEventType.DONE, whole)


async def _events_of(parts: Sequence[CompletionResponse]) -> AsyncGenerator[StreamEvent]:
    """Yield the events of the last part except DONE, with the usage of all parts together."""
    *before, last = parts
    async with aclosing(last.events()) as events:
        async for event in events:
            if event.type is StreamEventType.USAGE:
                used = Usage.total_of([*(part.usage for part in before), event.data])
                yield StreamEvent(StreamEventType.USAGE, used)
            elif event.type is not StreamEventType.DONE:
                yield event


def _join(whole: CompletionResponse, parts: Sequence[CompletionResponse]) -> CompletionResponse:
    """Fill a response with its parts joined."""
    last = parts[-1]
    for name in _OF_THE_LAST:
        setattr(whole, name, getattr(last, name))
    if last.choices:
        message = reduce(continued, [part.message for part in parts])
        whole.choices = (replace(last.choices[0], message=message),)
    sum_up(whole, parts)
    whole.wasted = total([part.wasted for part in parts])
    whole.latency = sum(part.latency or 0.0 for part in parts)
    if len(parts) > 1:
        whole.facts = {**last.facts, **_facts(parts)}
    return whole


_OF_THE_LAST = (
    *("model", "provider", "id", "status", "error", "request_id"),
    *("headers", "raw", "facts", "fallback_from"),
)


def _facts(parts: Sequence[CompletionResponse]) -> dict[str, Any]:
    """Return the facts of all parts: how often each provider tool ran, and the prompt's tokens."""
    used = Counter[str]()
    for part in parts:
        used.update(part.facts.get("server_tool_use") or {})
    prompt = parts[-1].usage and parts[-1].usage.input_tokens
    told = {"server_tool_use": dict(used), "context_tokens": prompt}
    return {name: value for name, value in told.items() if value}
