"""A stream in OpenAI's form: StreamEvents become the JSON of its chunks."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from ..types import CompletionResponse, StreamEvent, StreamEventType, ToolCallDelta
from ..types.ids import new_id
from .answers import CHUNK, usage_of


async def chunks(
    events: AsyncGenerator[StreamEvent], *, model: str, include_usage: bool
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the chunks of an answer; with `include_usage` the last one has the usage.

    Each choice has its role in the first delta and its `finish_reason` in the last.
    """
    head = {
        "id": f"chatcmpl-{new_id()}",
        "created": int(time.time()),
        "model": model,
        "object": CHUNK,
    }
    begun: set[int] = set()
    async with aclosing(events):
        async for event in events:
            for index, delta, reason in _deltas(event):
                if index not in begun:
                    begun.add(index)
                    delta = {"role": "assistant", **delta}
                yield {**head, "choices": [_choice(index, delta, reason)]}
            if include_usage and event.type is StreamEventType.DONE:
                yield {**head, "choices": [], "usage": usage_of(event.data)}


def _deltas(event: StreamEvent) -> Iterator[tuple[int, dict[str, Any], str | None]]:
    """Yield what an event adds: the choice's index, the delta, and its finish reason if it ends."""
    match event.type:
        case StreamEventType.TOKEN:
            yield event.index, {"content": event.data}, None
        case StreamEventType.REASONING:
            yield event.index, {"reasoning_content": event.data}, None
        case StreamEventType.TOOL_CALL_START:
            yield event.index, _call(event.data, is_first=True), None
        case StreamEventType.TOOL_CALL_DELTA:
            yield event.index, _call(event.data, is_first=False), None
        case StreamEventType.DONE:
            yield from _ends(event.data)


def _ends(response: CompletionResponse) -> Iterator[tuple[int, dict[str, Any], str | None]]:
    """Yield the end of each choice, with the parts of its message that had no event."""
    for choice in response.choices:
        told = {name: choice.message.get(name) for name in _WHOLE}
        delta = {name: value for name, value in told.items() if value}
        yield choice.index, delta, choice.finish_reason


_WHOLE = ("thinking_blocks", "refusal", "annotations", "audio")


def _call(piece: ToolCallDelta, *, is_first: bool) -> dict[str, Any]:
    """Return a call's delta; only the first has a name, because readers concatenate names too."""
    named = {"id": piece.id, "name": piece.name} if is_first else {"id": None, "name": None}
    function = {"arguments": piece.arguments, "name": named["name"]}
    call = {"id": named["id"], "function": function, "type": "function", "index": piece.index}
    return {"tool_calls": [call]}


def _choice(index: int, delta: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    whole = {"content": None, "role": None, "function_call": None, "tool_calls": None, **delta}
    return {"finish_reason": reason, "index": index, "delta": whole, "logprobs": None}
