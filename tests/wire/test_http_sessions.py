import asyncio
import gc
import os
import shutil
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from flashlite.wire import AiohttpTransport

from .raw_server import OK, UNFINISHED, ask, read, serving, then


async def test_closing_gives_connections_back_and_the_transport_goes_on() -> None:
    transport = AiohttpTransport()
    async with serving(OK) as server:
        for _ in range(2):
            response = await transport.send(ask(server.url))
            assert await response.read() == b"{}"
            await transport.aclose()
            await server.sees_the_client_go()
    assert server.connections == 2


async def test_a_transport_may_be_closed_unused_and_twice() -> None:
    transport = AiohttpTransport()
    await transport.aclose()
    async with serving(OK) as server:
        await read(await transport.send(ask(server.url)))
        await transport.aclose()
        await transport.aclose()
        await server.sees_the_client_go()


async def test_a_forgotten_transport_closes_its_connections() -> None:
    async with serving(OK) as server:
        await read(await AiohttpTransport().send(ask(server.url)))
        gc.collect()
        await server.sees_the_client_go()


async def test_a_response_can_be_read_when_its_transport_is_forgotten() -> None:
    go_on = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(b"defghij")

    async with serving(then(UNFINISHED, wait)) as server:
        response = await AiohttpTransport().send(ask(server.url))
        gc.collect()
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        go_on.set()
        assert await reading == b"abcdefghij"
        del response, reading
        await server.sees_the_client_go()


async def test_two_loops_in_two_threads_may_share_a_transport() -> None:
    both, transport = asyncio.Event(), AiohttpTransport()

    async def wait_for_both(writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 2:
            both.set()
        await both.wait()
        writer.write(OK)

    async def call() -> bytes:
        return await read(await transport.send(ask(server.url)))

    async with serving(wait_for_both) as server:
        answers = await asyncio.gather(
            *(asyncio.to_thread(lambda: asyncio.run(call())) for _ in range(2))
        )
    assert (answers, server.connections) == ([b"{}", b"{}"], 2)


async def test_closing_leaves_the_connections_of_other_loops() -> None:
    """One thread has called and waits; meanwhile this one closes; then the first goes on."""
    transport, called, closed = AiohttpTransport(), asyncio.Event(), threading.Event()
    here = asyncio.get_running_loop()

    async def call_twice() -> None:
        await read(await transport.send(ask(server.url)))
        here.call_soon_threadsafe(called.set)
        closed.wait()
        await read(await transport.send(ask(server.url)))

    async with serving(OK) as server:
        thread = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(call_twice())))
        await called.wait()
        await transport.aclose()
        closed.set()
        await thread
    assert server.connections == 1


async def test_loops_that_ended_are_forgotten() -> None:
    transport, loops = AiohttpTransport(), list[weakref.ref[asyncio.AbstractEventLoop]]()

    async def call() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await read(await transport.send(ask(server.url)))

    async with serving(OK) as server:
        for _ in range(4):
            await asyncio.to_thread(lambda: asyncio.run(call()))
    gc.collect()
    assert [loop() for loop in loops[:-1]] == [None, None, None]


def run(code: str, **environment: str) -> tuple[int, str, str]:
    """Run code in a strict interpreter of its own."""
    quiet = "import logging; logging.getLogger('asyncio').setLevel(logging.ERROR)\n"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", quiet + code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return done.returncode, done.stdout, done.stderr


CALLS_OVER_SEVERAL_LOOPS = """
import asyncio, gc, os, threading
from flashlite.wire import AiohttpTransport, WireRequest
{setting}
transport = AiohttpTransport()
async def call():
    response = await transport.send(WireRequest(url=url, json={{}}))
    await response.read()
async def several():
    await asyncio.gather(*(call() for _ in range(5)))
async def stop_early():
    response = await transport.send(WireRequest(url=url, json={{}}))
    await response.aclose()
async def fail():
    await call()
    raise ZeroDivisionError
for main in (call, several, stop_early, several, fail, call):
    try:
        asyncio.run(main())
    except ZeroDivisionError:
        pass
    gc.collect()
del transport
gc.collect()
print("done")
"""

PLAIN_SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.handle_error = lambda *_: None  # a client may hang up at any time
url = f"http://127.0.0.1:{server.server_port}/"
threading.Thread(target=server.serve_forever, daemon=True).start()
"""

TLS = """
import ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.environ["SSL_CERT_FILE"], os.environ["KEY"])
server.socket = context.wrap_socket(server.socket, server_side=True)
url = url.replace("http:", "https:")
"""


def test_one_transport_works_over_several_loops_and_leaks_nothing() -> None:
    code = CALLS_OVER_SEVERAL_LOOPS.format(setting=PLAIN_SERVER)
    assert run(code) == (0, "done\n", "")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_nothing_leaks_over_tls_either(tmp_path: Path) -> None:
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
        "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        [*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    code = CALLS_OVER_SEVERAL_LOOPS.format(setting=PLAIN_SERVER + TLS)
    assert run(code, SSL_CERT_FILE=certificate, KEY=key) == (0, "done\n", "")


def test_importing_the_wire_loads_no_aiohttp() -> None:
    code = "import sys, flashlite.wire; print('aiohttp' in sys.modules)"
    assert run(code) == (0, "False\n", "")
