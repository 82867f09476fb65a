"""Reporting a streamed answer to Inspect while it arrives."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from inspect_ai.model import StreamReasoningEvent, StreamTextEvent, StreamToolCallEvent

from ..errors import StreamInterruptedError
from ..types import CompletionResponse, StreamEvent, StreamEventType
from ._private import is_stream_wanted, report_delta, report_progress, report_stream_start


async def read(events: AsyncGenerator[StreamEvent]) -> CompletionResponse:
    """Read a stream to its end and report its first choice to Inspect; return the answer."""
    async with aclosing(events):
        has_begun = False
        async for event in events:
            if event.type is StreamEventType.DONE:
                whole: CompletionResponse = event.data
                return whole
            if not has_begun:
                has_begun = True
                report_stream_start()
            if event.index == 0:
                await _report(event)
    raise StreamInterruptedError("the stream ended without its last event")


async def _report(event: StreamEvent) -> None:
    if event.type is StreamEventType.USAGE:
        report_progress(event.data.output_tokens)
        return
    delta = _delta(event) if is_stream_wanted() else None
    if delta is None:
        report_progress()
    else:
        await report_delta(delta)


def _delta(
    event: StreamEvent,
) -> StreamTextEvent | StreamReasoningEvent | StreamToolCallEvent | None:
    match event.type:
        case StreamEventType.TOKEN:
            return StreamTextEvent(text=event.data)
        case StreamEventType.REASONING:
            return StreamReasoningEvent(reasoning=event.data)
        case StreamEventType.TOOL_CALL_START | StreamEventType.TOOL_CALL_DELTA:
            call = event.data
            return StreamToolCallEvent(id=call.id, function=call.name, arguments=call.arguments)
        case _:
            return None
