"""A stream for a browser: server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Any

from ..errors import ConfigError, FlashliteError
from ..types import StreamEvent, StreamEventType
from .buffering import closing, reason_of

_HEARTBEAT = ":\n\n"  # a comment: browsers take no notice of it, proxies see that something lives


class SSEAdapter:
    """Turn streams into server-sent events, the body of a `text/event-stream` response.

    `heartbeat` is after how many seconds of silence a comment is sent, so that no proxy gives up
    on a model that thinks.
    """

    def __init__(self, *, heartbeat: float | None = None) -> None:
        if heartbeat is not None and not heartbeat > 0:
            raise ConfigError(f"heartbeat is a number of seconds; got {heartbeat!r:.80}")
        self._heartbeat = heartbeat

    async def transform(self, stream: AsyncIterable[StreamEvent]) -> AsyncGenerator[str]:
        """Yield each event as text; the stream is closed when the reader leaves.

        A stream that breaks ends with an `error` event, for a browser would ask again if the
        connection broke. What is no error of flashlite's is raised after that, and the browser is
        not told its words.
        """
        try:
            async with closing(stream) as events:
                if self._heartbeat is None:
                    async for event in events:
                        yield event.to_sse()
                else:
                    async with aclosing(_alive(aiter(events), self._heartbeat)) as texts:
                        async for text in texts:
                            yield text
        except FlashliteError as error:
            yield error_event(error).to_sse()
        except Exception as error:
            yield error_event(error).to_sse()
            raise


def error_event(error: Exception) -> StreamEvent:
    """Return the event that tells a reader of an error."""
    status = getattr(error, "status_code", None) or 500
    reason = reason_of(error) if isinstance(error, FlashliteError) else "internal error"
    return StreamEvent(StreamEventType.ERROR, {"status": status, "error": reason})


async def _alive(events: AsyncIterator[StreamEvent], seconds: float) -> AsyncGenerator[str]:
    """Yield the events as text, and a heartbeat whenever none came for so long."""
    waiting: asyncio.Task[Any] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(_next(events))
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if not done:
                yield _HEARTBEAT
                continue
            event, waiting = waiting.result(), None
            if event is None:
                return
            yield event.to_sse()
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def _next(events: AsyncIterator[StreamEvent]) -> StreamEvent | None:
    return await anext(events, None)
