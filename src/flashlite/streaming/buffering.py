"""Collecting the whole of a stream while it is read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any, cast

from ..errors import CompletionError, ConfigError, FlashliteError, StreamInterruptedError
from ..types import CompletionResponse, StreamEvent, StreamEventType, ToolCall, Usage


class BufferingAdapter:
    """Collects the first choice of one stream while its events are read.

    If an agent streams several turns, their texts are joined and `usage` is the sum of all.
    """

    def __init__(self) -> None:
        self._text = list[str]()
        self._reasoning = list[str]()
        self._tool_calls = list[ToolCall]()
        self._before: Usage | None = None  # of earlier turns
        self._usage: Usage | None = None
        self._done: StreamEvent | None = None
        self._error = "the stream was not read to its end"
        self._is_used = False

    @property
    def content(self) -> str:
        """The text that has arrived so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning that has arrived so far."""
        return "".join(self._reasoning)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls that have arrived completely."""
        return list(self._tool_calls)

    @property
    def usage(self) -> Usage | None:
        """What was used so far, None if unknown."""
        return Usage.total_of([self._before, self._usage])

    async def wrap(self, stream: AsyncIterable[StreamEvent]) -> AsyncGenerator[StreamEvent]:
        """Yield the events of a stream and collect their data.

        To stop early, close this generator (use `contextlib.aclosing`), which closes the stream.
        """
        if self._is_used:
            raise ConfigError("a BufferingAdapter keeps one stream: make another one")
        self._is_used = True
        try:
            async with closing(stream) as events:
                async for event in events:
                    self._keep(event)
                    yield event
        except FlashliteError as error:
            self._error = reason_of(error)
            raise

    def get_result(self) -> CompletionResponse:
        """Return the answer, which is the data of DONE.

        If the stream broke or was not read to its end, the result has what arrived, and its `error`
        says why it is not a whole answer.
        """
        if self._done is not None and self._done.data is not None:
            result: CompletionResponse = self._done.data
            return result
        return CompletionResponse.of(
            self.content or None,
            tool_calls=self.tool_calls,
            reasoning=self.reasoning,
            finish_reason=None,
            usage=self.usage,
            error=None if self._done is not None else self._error,
        )

    def whole(self) -> CompletionResponse:
        """Return the answer, or raise StreamInterruptedError if it is not whole."""
        result = self.get_result()
        if isinstance(result, CompletionResponse) and result.error is not None:
            raise StreamInterruptedError(result.error)
        return result

    def _keep(self, event: StreamEvent) -> None:
        match event.type:
            case StreamEventType.USAGE:  # what the turn has used so far
                self._usage = event.data
            case StreamEventType.META if event.data.get("event") == "turn_start":
                self._before, self._usage = self.usage, None
            case StreamEventType.DONE:
                self._done = event
            case StreamEventType.ERROR:
                self._error = reason_in(event.data)
            case StreamEventType.TOKEN if event.index == 0:
                self._text.append(event.data)
            case StreamEventType.REASONING if event.index == 0:
                self._reasoning.append(event.data)
            case StreamEventType.TOOL_CALL_END if event.index == 0:
                self._tool_calls.append(event.data)


async def collect_stream(stream: AsyncIterable[StreamEvent]) -> CompletionResponse:
    """Read a stream and return the whole answer; raises StreamInterruptedError if it is cut off."""
    buffer = BufferingAdapter()
    async with aclosing(buffer.wrap(stream)) as events:
        async for _ in events:
            pass
    return buffer.whole()


async def stream_to_string(stream: AsyncIterable[StreamEvent]) -> str:
    """Read a stream and return the text of the whole answer."""
    return (await collect_stream(stream)).content


def closing(
    stream: AsyncIterable[StreamEvent],
) -> AbstractAsyncContextManager[AsyncIterable[StreamEvent]]:
    """Return a context manager that closes a stream, if it can be closed."""
    if hasattr(stream, "aclose"):
        return aclosing(cast("AsyncGenerator[StreamEvent]", stream))
    return nullcontext(stream)


def reason_of(error: FlashliteError) -> str:
    """Return what went wrong, without the provider and the model."""
    return error.reason if isinstance(error, CompletionError) else str(error)


def reason_in(data: Any) -> str:
    """Return the reason in an ERROR event."""
    reason = data.get("error") if isinstance(data, Mapping) else data
    return str(reason or "the stream ended with an error")
