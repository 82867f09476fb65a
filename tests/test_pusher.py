"""PusherStreamer through the real `pusher` library, to a server that speaks Pusher's REST API."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from flashlite import (
    CompletionResponse,
    Flashlite,
    PusherStreamer,
    StreamEvent,
    StreamEventType,
    Usage,
)
from flashlite.loop_thread import LoopThread

pusher = pytest.importorskip("pusher", reason="needs the dev extra: pip install -e '.[dev]'")

ID, KEY, SECRET = "3", "278d425bdf160c739803", "7ad3773142a6692b25b8"
CHANNEL = "private-answers"


class PusherServer:
    """What Pusher does with `POST /apps/ID/batch_events`, on a loopback port.

    It refuses what Pusher refuses, as its "HTTP API Reference" says: a wrong key, time, digest of
    the body or signature (401), more than ten events in a batch, names and data that are too long
    (400, 413). `batches` is what it took, in order; `statuses` what it answered.
    """

    def __init__(self, *, down: int | None = None) -> None:
        self.batches: list[list[dict[str, str]]] = []
        self.statuses: list[int] = []
        self._down = down

    @property
    def events(self) -> list[tuple[str, Any]]:
        return [(one["name"], json.loads(one["data"])) for batch in self.batches for one in batch]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        status, reason = self._judged(request, body)
        self.statuses.append(status)
        if status != 200:
            return web.Response(status=status, text=reason)
        self.batches.append(json.loads(body)["batch"])
        return web.json_response({})

    def _judged(self, request: web.Request, body: bytes) -> tuple[int, str]:
        if self._down is not None:
            return self._down, "try again later"
        if complaint := unsigned(request.method, request.path, dict(request.query), body):
            return 401, complaint
        if request.content_type != "application/json":
            return 400, "the body is JSON"
        batch = json.loads(body)["batch"]
        if not 1 <= len(batch) <= 10:
            return 400, f"{len(batch)} events in a batch"
        if any(len(one["name"]) > 200 or one["channel"] != CHANNEL for one in batch):
            return 400, "a name or a channel that cannot be"
        if any(len(one["data"].encode()) > 10 * 1024 for one in batch):
            return 413, "the data of an event is at most 10 kB"
        return 200, ""


def unsigned(method: str, path: str, query: dict[str, str], body: bytes) -> str | None:
    """Return what is wrong with the signature of a request, None if it is Pusher's."""
    signature = query.pop("auth_signature", "")
    if (query.get("auth_key"), query.get("auth_version")) != (KEY, "1.0"):
        return "unknown key or version"
    if abs(time.time() - int(query.get("auth_timestamp", "0"))) > 600:
        return "the clock is wrong by more than ten minutes"
    if query.get("body_md5") != hashlib.md5(body).hexdigest():
        return "another body was signed"
    is_signed = hmac.compare_digest(signature, signature_of(method, path, query))
    return None if is_signed else "invalid signature"


def signature_of(method: str, path: str, query: dict[str, str]) -> str:
    pairs = "&".join(f"{name.lower()}={query[name]}" for name in sorted(query, key=str.lower))
    signed = f"{method}\n{path}\n{pairs}".encode()
    return hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


@contextmanager
def serving(server: PusherServer, *, secret: str = SECRET) -> Iterator[Any]:
    """Run the server in a thread, and yield a client of Pusher's for it."""

    async def start() -> web.AppRunner:
        application = web.Application()
        application.router.add_post(f"/apps/{ID}/batch_events", server.take)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    thread = LoopThread("pusher-server")
    runner = thread.run_sync(start())
    port = runner.addresses[0][1]
    client = pusher.Pusher(ID, KEY, secret, ssl=False, host="127.0.0.1", port=port)
    try:
        yield client
    finally:
        client._pusher_client.http.session.close()  # the library itself never does
        thread.run_sync(runner.cleanup())
        thread.stop()


async def numbers(count: int) -> AsyncGenerator[StreamEvent]:
    """Yield many events of which no two can be put together, and a whole answer."""
    for number in range(count):
        yield StreamEvent(StreamEventType.META, {"number": number})
        yield StreamEvent(StreamEventType.TOKEN, f"é{number} ")
    text = "".join(f"é{number} " for number in range(count))
    usage = Usage(input_tokens=1, output_tokens=count)
    answer = CompletionResponse.of(text, usage=usage, id="7", model="m")
    yield StreamEvent(StreamEventType.DONE, answer)


def test_the_signature_is_the_one_of_pushers_own_example() -> None:
    body = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    query = {
        "auth_key": KEY,
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": "ec365a775a4cd0599faeb73354201b6f",
    }
    assert hashlib.md5(body).hexdigest() == query["body_md5"]
    assert signature_of("POST", "/apps/3/events", query) == (
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    )


async def test_every_event_arrives_once_and_in_order_in_signed_batches() -> None:
    server = PusherServer()
    with serving(server) as client:
        answer = await PusherStreamer(CHANNEL, client=client).consume(numbers(300))

    expected: list[tuple[str, Any]] = []
    for number in range(300):
        expected += [("meta", {"number": number}), ("token", f"é{number} ")]
    done = {"id": "7", "model": "m", "finish_reason": "stop"}
    expected.append(("done", {**done, "usage": answer.usage and answer.usage.to_dict()}))
    assert server.events == expected
    assert set(server.statuses) == {200}
    assert [len(batch) for batch in server.batches] == [10] * 60 + [1]


async def test_a_model_is_read_by_a_browser_word_for_word() -> None:
    server, said = PusherServer(), "Tabs or\nspaces, \N{GRINNING FACE} " * 500
    with serving(server) as client:
        streamer = PusherStreamer(CHANNEL, client=client)
        answer = await streamer.consume(Flashlite("mock/echo").stream(said))

    assert (
        "".join(data for name, data in server.events if name == "token") == answer.content == said
    )
    assert server.events[-1][0] == "done"
    assert set(server.statuses) == {200}


@pytest.mark.parametrize(
    ("server", "secret", "complaint", "status"),
    [
        (PusherServer(), "another secret", "invalid signature", 401),
        (PusherServer(down=503), SECRET, "503: try again later", 503),
    ],
)
async def test_what_pusher_refuses_is_raised_and_closes_the_stream(
    server: PusherServer, secret: str, complaint: str, status: int
) -> None:
    stream = numbers(300)
    with (
        serving(server, secret=secret) as client,
        pytest.raises(pusher.errors.PusherError, match=complaint),
    ):
        await PusherStreamer(CHANNEL, client=client).consume(stream)

    assert (server.statuses, server.batches) == ([status], [])
    assert [event async for event in stream] == []  # it is closed
