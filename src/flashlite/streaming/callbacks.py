"""Calling functions for the events of a stream."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any

from ..errors import FlashliteError
from ..types import CompletionResponse, StreamEvent, StreamEventType, ToolCall, ToolCallDelta, Usage
from .buffering import BufferingAdapter


class CallbackAdapter:
    """Calls a function for each event of a stream; coroutine functions are awaited.

    `on_error` is called with the exception that ends a stream. An exception from a function ends
    the stream too.
    """

    def __init__(
        self,
        *,
        on_token: Callable[[str], Any] | None = None,
        on_reasoning: Callable[[str], Any] | None = None,
        on_tool_start: Callable[[ToolCallDelta], Any] | None = None,
        on_tool_end: Callable[[ToolCall], Any] | None = None,
        on_usage: Callable[[Usage], Any] | None = None,
        on_meta: Callable[[dict[str, Any]], Any] | None = None,
        on_done: Callable[[CompletionResponse], Any] | None = None,
        on_error: Callable[[FlashliteError], Any] | None = None,
    ) -> None:
        self._on_error = on_error
        self._callbacks: dict[StreamEventType, Callable[..., Any] | None] = {
            StreamEventType.TOKEN: on_token,
            StreamEventType.REASONING: on_reasoning,
            StreamEventType.TOOL_CALL_START: on_tool_start,
            StreamEventType.TOOL_CALL_END: on_tool_end,
            StreamEventType.USAGE: on_usage,
            StreamEventType.META: on_meta,
            StreamEventType.DONE: on_done,
        }

    async def consume(self, stream: AsyncIterable[StreamEvent]) -> CompletionResponse:
        """Read a stream to its end and return the whole answer.

        An error of the stream is passed to `on_error` and raised; so is StreamInterruptedError if
        it ends without a whole answer.
        """
        buffer = BufferingAdapter()
        try:
            async with aclosing(buffer.wrap(stream)) as events:
                async for event in events:
                    await _call(self._callbacks.get(event.type), event.data)
            return buffer.whole()
        except FlashliteError as error:
            await _call(self._on_error, error)
            raise


async def _call(callback: Callable[..., Any] | None, said: Any) -> None:
    if callback is not None and isawaitable(result := callback(said)):
        await result
