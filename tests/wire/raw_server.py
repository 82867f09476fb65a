"""A server made of bytes, for what a well-behaved HTTP library would never send."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

from flashlite.wire import WireRequest, WireResponse

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
UNFINISHED = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"
UNFINISHED_CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
Reader = Callable[[WireResponse], Awaitable[bytes]]


class Received(NamedTuple):
    """A request as it came over the wire; header names are lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Server:
    """A server that sends the bytes it was given, and keeps what it saw.

    The answers are given in turn, the last one for ever. `lost` is set when the client's end of a
    connection is gone.
    """

    def __init__(self, answers: tuple[bytes | Answer, ...]) -> None:
        self._answers = list(answers)
        self._writers: list[asyncio.StreamWriter] = []
        self.connections = 0
        self.requests: list[Received] = []
        self.arrived = asyncio.Semaphore(0)
        self.lost = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                self.requests.append(await self._receive(reader))
                self.arrived.release()
                await self._answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().strip()
        line, *rest = head.split("\r\n")
        headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
        return Received(
            line, headers, await reader.readexactly(int(headers.get("content-length", 0)))
        )

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(writer)

    async def sees_the_client_go(self) -> None:
        """Wait until the client has closed a connection; less long than idle ones are kept."""
        async with asyncio.timeout(10):
            await self.lost.wait()
        self.lost.clear()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes | Answer) -> AsyncIterator[Server]:
    server = Server(answers)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        try:
            yield server
        finally:
            server.hang_up()  # since Python 3.12 a listener waits for its connections


def ask(url: str, json: Any = None, **fields: Any) -> WireRequest:
    return WireRequest(url=url, json={} if json is None else json, **fields)


async def silence(writer: asyncio.StreamWriter) -> None:
    """Answer nothing, and keep the connection."""


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection as a crashed peer or a firewall does."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def then(first: bytes, last: Answer) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await last(writer)

    return answer


async def read(response: WireResponse) -> bytes:
    try:
        return await response.read()
    finally:
        await response.aclose()


async def stream(response: WireResponse) -> bytes:
    try:
        async with aclosing(response.chunks()) as chunks:
            return b"".join([chunk async for chunk in chunks])
    finally:
        await response.aclose()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
