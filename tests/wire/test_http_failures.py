import asyncio
import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress

import pytest
from dirty_equals import IsStr

from flashlite.errors import APIConnectionError, APITimeoutError
from flashlite.types import Timeout
from flashlite.wire import AiohttpTransport

from .raw_server import (
    OK,
    UNFINISHED,
    UNFINISHED_CHUNKS,
    Answer,
    Reader,
    ask,
    free_port,
    hang_up,
    read,
    reset,
    serving,
    silence,
    stream,
    then,
)

both_ways = pytest.mark.parametrize("body_of", [read, stream])

RESET = OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
NO_ANSWER = "the connection was closed without an answer"
BROKEN_BODY = "the connection broke in the middle of the body"


async def test_cancelling_a_request_closes_its_connection(transport: AiohttpTransport) -> None:
    async with serving(silence, OK) as server:
        sending = asyncio.create_task(transport.send(ask(server.url)))
        await server.arrived.acquire()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.sees_the_client_go()
        assert await read(await transport.send(ask(server.url))) == b"{}"


@both_ways
@pytest.mark.parametrize("sent", [UNFINISHED, UNFINISHED_CHUNKS])
async def test_cancelling_a_reader_closes_the_connection(
    transport: AiohttpTransport,
    sent: bytes,
    body_of: Reader,
) -> None:
    async with serving(sent, OK) as server:
        response = await transport.send(ask(server.url))
        reading = asyncio.create_task(body_of(response))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await server.sees_the_client_go()
        assert await read(await transport.send(ask(server.url))) == b"{}"


async def test_a_reader_who_stops_early_closes_the_connection(transport: AiohttpTransport) -> None:
    async with serving(UNFINISHED_CHUNKS, OK) as server:
        response = await transport.send(ask(server.url))
        async with aclosing(response.chunks()) as chunks:
            assert await anext(chunks) == b"abc"
        await response.aclose()
        await server.sees_the_client_go()
        assert await read(await transport.send(ask(server.url))) == b"{}"


async def test_a_response_may_be_closed_unread_and_twice(transport: AiohttpTransport) -> None:
    async with serving(UNFINISHED) as server:
        response = await transport.send(ask(server.url))
        await response.aclose()
        await response.aclose()
        await server.sees_the_client_go()


async def test_closing_a_response_that_was_read_leaves_its_connection(
    transport: AiohttpTransport,
) -> None:
    async with serving(OK) as server:
        response = await transport.send(ask(server.url))
        await response.read()
        await response.aclose()
        await read(await transport.send(ask(server.url)))
    assert server.connections == 1


async def test_a_refused_connection_names_host_and_port(transport: AiohttpTransport) -> None:
    port = free_port()
    with pytest.raises(APIConnectionError) as caught:
        await transport.send(ask(f"http://127.0.0.1:{port}/v1"))
    assert str(caught.value) == (
        f"could not connect to 127.0.0.1:{port}: Connect call failed ('127.0.0.1', {port})"
    )


@pytest.mark.parametrize(
    ("said", "cause"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", ".*SSL.*"), (b"", "ConnectionResetError")],
)
async def test_a_server_without_tls_is_no_place_for_https(
    transport: AiohttpTransport, said: bytes, cause: str
) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(said)
        writer.close()

    listener = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        with pytest.raises(APIConnectionError) as caught:
            await transport.send(ask(f"https://127.0.0.1:{port}/v1"))
    assert str(caught.value) == IsStr(regex=f"could not connect to 127.0.0.1:{port}: {cause}")


@both_ways
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (hang_up, NO_ANSWER),
        (then(b"HTTP/1.1 200 OK\r\nx-half-a-he", hang_up), NO_ANSWER),
        (reset, f"the connection broke: {RESET}"),
        (then(UNFINISHED, hang_up), BROKEN_BODY),
        (then(UNFINISHED_CHUNKS, hang_up), BROKEN_BODY),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc", BROKEN_BODY),
        (b"220 mail.example ESMTP\r\n\r\n", IsStr(regex="the answer is not HTTP: .+")),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            IsStr(regex="the answer is not HTTP: .+"),
        ),
    ],
)
async def test_a_connection_that_breaks_is_an_error_of_ours(
    transport: AiohttpTransport,
    answer: bytes | Answer,
    sentence: str,
    body_of: Reader,
) -> None:
    async with serving(answer) as server:
        with pytest.raises(APIConnectionError) as caught:
            await body_of(await transport.send(ask(server.url)))
    assert str(caught.value) == sentence


@both_ways
@pytest.mark.parametrize("sent", [UNFINISHED, UNFINISHED_CHUNKS])
async def test_a_connection_reset_in_the_body_is_an_error_of_ours(
    transport: AiohttpTransport,
    sent: bytes,
    body_of: Reader,
) -> None:
    headers_are_here = asyncio.Event()

    async def reset_then(writer: asyncio.StreamWriter) -> None:
        await headers_are_here.wait()
        await reset(writer)

    async with serving(then(sent, reset_then)) as server:
        response = await transport.send(ask(server.url))
        headers_are_here.set()
        with pytest.raises(APIConnectionError) as caught:
            await body_of(response)
    assert str(caught.value) == BROKEN_BODY


async def test_a_connection_that_was_not_kept_as_promised_is_no_failure(
    transport: AiohttpTransport,
) -> None:
    """Or one that is worth a retry, where the request and the end of the connection cross."""
    async with serving(then(OK, hang_up)) as server:
        crossed = list[APIConnectionError]()
        for _ in range(20):
            try:
                assert await read(await transport.send(ask(server.url))) == b"{}"
            except APIConnectionError as error:
                crossed.append(error)
    assert all(error.retryable for error in crossed)
    assert 1 <= len(server.requests) <= 20


@contextmanager
def hanging_up_on_everybody() -> Iterator[tuple[str, list[None]]]:
    """Run a server that closes each connection at once; give its address and one item for each."""
    callers = list[None]()

    def hang_up_at_once() -> None:
        with suppress(OSError):  # the listener was shut down: the test is over
            while True:
                listener.accept()[0].close()
                callers.append(None)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up_at_once)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", callers
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_a_server_that_hangs_up_on_everybody_is_not_stormed(
    transport: AiohttpTransport,
) -> None:
    with hanging_up_on_everybody() as (url, callers):
        for calls in range(1, 41):
            with pytest.raises(APIConnectionError, match=r"^the connection (was closed|broke)"):
                await transport.send(ask(url))
            assert len(callers) <= 3 * calls


async def test_a_request_is_never_sent_again_by_itself(transport: AiohttpTransport) -> None:
    async with serving(OK, hang_up, OK) as server:
        await read(await transport.send(ask(server.url)))
        with pytest.raises(APIConnectionError):
            await transport.send(ask(server.url))
    assert (len(server.requests), server.connections) == (2, 1)


@both_ways
@pytest.mark.parametrize(
    ("answer", "timeout", "sentence"),
    [
        (silence, Timeout(total=0.05), "no answer within 0.05 s"),
        (UNFINISHED, Timeout(total=0.05), "no answer within 0.05 s"),
        (UNFINISHED_CHUNKS, Timeout(total=0.05), "no answer within 0.05 s"),
        (silence, Timeout(total=None, idle=0.05), "nothing arrived for 0.05 s"),
        (UNFINISHED, Timeout(idle=0.05), "nothing arrived for 0.05 s"),
        (UNFINISHED_CHUNKS, Timeout(idle=0.05), "nothing arrived for 0.05 s"),
    ],
)
async def test_a_limit_that_passes_is_an_error_of_ours(
    transport: AiohttpTransport,
    answer: bytes | Answer,
    timeout: Timeout,  # noqa: ASYNC109
    sentence: str,
    body_of: Reader,
) -> None:
    async with serving(answer, OK) as server:
        with pytest.raises(APITimeoutError) as caught:
            await body_of(await transport.send(ask(server.url, timeout=timeout)))
        assert (str(caught.value), isinstance(caught.value, TimeoutError)) == (sentence, False)
        await server.sees_the_client_go()
        assert await read(await transport.send(ask(server.url))) == b"{}"


async def test_a_long_limit_is_said_in_plain_seconds(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, skipped = asyncio.get_running_loop(), 0.0
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + skipped)

    async def skip_an_hour(writer: asyncio.StreamWriter) -> None:
        nonlocal skipped
        skipped = 3600.0

    async with serving(skip_an_hour) as server:
        with pytest.raises(APITimeoutError) as caught:
            await transport.send(ask(server.url, timeout=Timeout(total=1800)))
    assert str(caught.value) == "no answer within 1800 s"


async def test_a_connection_that_is_not_accepted_is_a_timeout(transport: AiohttpTransport) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:  # fill the queue, so that the next one waits
            one.setblocking(False)
            one.connect_ex(address)
        with pytest.raises(APITimeoutError) as caught:
            await transport.send(
                ask(f"http://127.0.0.1:{address[1]}/", timeout=Timeout(connect=0.05))
            )
        for one in waiting:
            one.close()
    assert (str(caught.value), isinstance(caught.value, TimeoutError)) == (
        "no connection within 0.05 s",
        False,
    )
