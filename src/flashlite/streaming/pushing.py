"""Streams for browsers that listen to a Pusher channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from functools import cached_property
from importlib import import_module
from itertools import groupby
from typing import Any

from .. import env
from ..errors import ConfigError, FlashliteError
from ..types import CompletionResponse, StreamEvent, StreamEventType
from ..types.stream import to_json
from .buffering import BufferingAdapter
from .sse import error_event

log = logging.getLogger("flashlite.streaming")

# Pusher takes ten events per request, each with 10 kB; a character takes up to 12 bytes in JSON.
_EVENTS, _DATA, _PIECE = 10, 10_000, 800
_TEXTS = (StreamEventType.TOKEN, StreamEventType.REASONING)


class PusherStreamer:
    """Sends streams to a Pusher channel, where browsers listen.

    Missing arguments are read from PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET and PUSHER_CLUSTER;
    `client` is a `pusher.Pusher` of your own. Needs `pip install 'flashlite[pusher]'`.

    An event is named after its type and has JSON as data. The last event is `error`, or `done`
    without the text, which was sent before. Requests are sent in a thread; events that arrive
    during one go with the next, with adjacent texts joined. Data that is too large for Pusher is
    left out of its event, with a warning.
    """

    def __init__(
        self,
        channel: str,
        *,
        client: Any = None,
        app_id: str | None = None,
        key: str | None = None,
        secret: str | None = None,
        cluster: str | None = None,
    ) -> None:
        self._channel = channel
        self._given = client
        self._account = {"app_id": app_id, "key": key, "secret": secret, "cluster": cluster}

    async def consume(self, stream: AsyncIterable[StreamEvent]) -> CompletionResponse:
        """Read a stream to its end, send it, and return the whole answer.

        An error of the stream is sent and raised, and so is StreamInterruptedError if it ends
        without a whole answer. An exception of the pusher library closes the stream and is raised.
        """
        buffer = BufferingAdapter()
        async with self._outbox() as put, aclosing(buffer.wrap(stream)) as events:
            async for event in events:
                put(event)
            return buffer.whole()

    @cached_property
    def _client(self) -> Any:
        if self._given is not None:
            return self._given
        try:
            library = import_module("pusher")
        except ImportError as error:
            raise ConfigError(
                "PusherStreamer needs the pusher library: pip install 'flashlite[pusher]'"
            ) from error
        account = {
            name: value or env.get(f"PUSHER_{name.upper()}")
            for name, value in self._account.items()
        }
        if missing := [f"PUSHER_{name.upper()}" for name, value in account.items() if not value]:
            raise ConfigError(f"PusherStreamer has no account: set {', '.join(missing)}")
        return library.Pusher(**account)

    @asynccontextmanager
    async def _outbox(self) -> AsyncGenerator[Callable[[StreamEvent | None], None]]:
        """Yield a function that queues events; it raises if sending earlier events failed."""
        waiting: asyncio.Queue[StreamEvent | None] = asyncio.Queue()
        sending = asyncio.ensure_future(self._send(waiting, self._client))

        def put(event: StreamEvent | None) -> None:
            if sending.done():
                sending.result()
            waiting.put_nowait(event)

        try:
            try:
                yield put
            except FlashliteError as error:
                put(error_event(error))
                put(None)
                await sending
                raise
            put(None)
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, waiting: asyncio.Queue[StreamEvent | None], client: Any) -> None:
        """Send the queued events until None is queued."""
        is_open = True
        while is_open:
            gathered = [await waiting.get()]
            while not waiting.empty():
                gathered.append(waiting.get_nowait())
            is_open = None not in gathered
            events = list(_put_together(event for event in gathered if event is not None))
            for start in range(0, len(events), _EVENTS):
                batch = [self._form(event) for event in events[start : start + _EVENTS]]
                await asyncio.to_thread(client.trigger_batch, batch)

    def _form(self, event: StreamEvent) -> dict[str, str]:
        text = to_json(_short(event.data), ensure_ascii=True)
        if len(text) > _DATA:
            log.warning("%d bytes of a %s event are too many for Pusher", len(text), event.type)
            text = "null"
        return {"channel": self._channel, "name": event.type.value, "data": text}


def _put_together(events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
    """Yield the events with adjacent texts joined, in pieces that fit."""
    for (type, index), run in groupby(events, key=lambda event: (event.type, event.index)):
        if type not in _TEXTS:
            yield from run
            continue
        text = "".join(event.data for event in run)
        for start in range(0, len(text), _PIECE):
            yield StreamEvent(type, text[start : start + _PIECE], index=index)


def _short(data: Any) -> Any:
    """Return an event's data; of a whole answer, only what was not sent before."""
    if not isinstance(data, CompletionResponse):
        told = data.to_dict() if hasattr(data, "to_dict") else {}  # such as an agent's result
        return {name: told[name] for name in told if name != "content"} or data
    return {
        "id": data.id,
        "model": data.model,
        "finish_reason": data.finish_reason,
        "usage": data.usage,
    }
