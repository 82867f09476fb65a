"""Streams for browsers, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing

from ..errors import ConfigError, FlashliteError
from ..types import StreamEvent, StreamEventType
from ..types.stream import checked_retry
from .buffering import closing, reason_of

_HEARTBEAT = ":\n\n"  # a comment: browsers ignore it, proxies keep the connection


class SSEAdapter:
    """Turns streams into server-sent events, the body of a `text/event-stream` response.

    After `heartbeat` seconds of silence a comment is sent, so that proxies do not close the
    connection while a model thinks. `retry` is sent with the first event: how many milliseconds a
    browser that lost the connection waits before it reconnects. With `ids`, each event has its
    number as id, from 1, and a browser that reconnects sends the last id it read: see `transform`.
    """

    def __init__(
        self, *, heartbeat: float | None = None, ids: bool = False, retry: int | None = None
    ) -> None:
        if heartbeat is not None and not heartbeat > 0:
            raise ConfigError(f"heartbeat is a number of seconds; got {heartbeat!r:.80}")
        self._heartbeat, self._ids, self._retry = heartbeat, ids, checked_retry(retry)

    async def transform(
        self, stream: AsyncIterable[StreamEvent], *, after: int = 0
    ) -> AsyncGenerator[str]:
        """Yield each event as text; the stream is closed when the reader stops.

        The first `after` events are left out: to continue for a browser that sends a number in
        `Last-Event-ID`, pass that number and the same events from their beginning.

        A stream that breaks ends with an `error` event, because a browser would reconnect if only
        the connection broke. An exception that is not a FlashliteError is raised after that, and
        its message is not sent.
        """
        number = 0
        try:
            async with closing(stream) as events, aclosing(self._paced(events)) as paced:
                async for event in paced:
                    if event is None:
                        yield _HEARTBEAT
                        continue
                    number += 1
                    if number > after:
                        yield self._written(event, number, is_first=number == after + 1)
        except Exception as error:
            yield self._written(error_event(error), number + 1, is_first=number <= after)
            if not isinstance(error, FlashliteError):
                raise

    def _written(self, event: StreamEvent, number: int, *, is_first: bool) -> str:
        return event.to_sse(
            id=number if self._ids else None, retry=self._retry if is_first else None
        )

    async def _paced(
        self, events: AsyncIterable[StreamEvent]
    ) -> AsyncGenerator[StreamEvent | None]:
        """Yield the events, and None after each `heartbeat` seconds without one."""
        if self._heartbeat is None:
            async for event in events:
                yield event
            return
        waiting: asyncio.Task[StreamEvent | None] | None = None
        iterator = aiter(events)
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(_next(iterator))
                done, _ = await asyncio.wait({waiting}, timeout=self._heartbeat)
                if not done:
                    yield None
                    continue
                found, waiting = waiting.result(), None
                if found is None:
                    return
                yield found
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)


def error_event(error: Exception) -> StreamEvent:
    """Return the ERROR event for an exception."""
    status = getattr(error, "status_code", None) or 500
    reason = reason_of(error) if isinstance(error, FlashliteError) else "internal error"
    return StreamEvent(StreamEventType.ERROR, {"status": status, "error": reason})


async def _next(events: AsyncIterator[StreamEvent]) -> StreamEvent | None:
    return await anext(events, None)
