"""A server on loopback that gives any bytes, on a loop of its own and with a memory."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from flashlite.loop_thread import LoopThread
from flashlite.testing import Reply

SILENCE = TimeoutError("silence")
"""As a chunk of a reply: nothing more comes until the client gives the connection up."""


class Received(NamedTuple):
    """A request as it arrived; header names are lower case."""

    headers: Mapping[str, str]
    json: Any


class Loopback:
    """Gives its replies in turn, the last one for ever.

    `arrived` is set when a request is there, `lost` when the client has closed a connection on
    which it was owed an answer. Any other exception among the chunks breaks the connection.
    """

    base_url: str

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[Received] = []
        self.arrived, self.lost = threading.Event(), threading.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (row.split(": ", 1) for row in lines[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Received(headers, json.loads(body)))
        self.arrived.set()
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        head = {**reply.headers, "transfer-encoding": "chunked"}
        writer.write(f"HTTP/1.1 {reply.status} x\r\n".encode())
        writer.write("".join(f"{name}: {value}\r\n" for name, value in head.items()).encode())
        writer.write(b"\r\n")
        for chunk in reply.chunks:
            if chunk is SILENCE:
                with suppress(ConnectionError):
                    await reader.read()
                self.lost.set()
            if isinstance(chunk, BaseException):
                return False
            if chunk:  # an empty one would be the end
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


@contextmanager
def serving(*replies: Reply) -> Iterator[Loopback]:
    server, thread = Loopback(*replies), LoopThread("loopback")
    listener = thread.run_sync(_listen(server))
    server.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.get_loop().call_soon_threadsafe(listener.close)
        thread.stop()


async def _listen(server: Loopback) -> asyncio.Server:
    return await asyncio.start_server(server.serve, "127.0.0.1", 0)
