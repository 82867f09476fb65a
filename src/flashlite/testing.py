"""Test tools: a provider that gives the answers you wrote, and a server that does, on loopback.

from flashlite.testing import mock_server  # in conftest.py: a fixture

def test_my_client(mock_server):
    client = Flashlite("openai/echo", base_url=mock_server.base_url)
    assert client.complete_sync("hello").content == "hello"
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from .errors import ConfigError
from .loop_thread import LoopThread
from .providers.mock import BEHAVIOURS, Cut, MockAnswer, MockModel, Refused, refuse
from .types import CompletionRequest, CompletionResponse
from .wire import WireRequest

if TYPE_CHECKING:
    from aiohttp import web


class ScriptedProvider:
    """A provider that returns the given answers in turn and records the requests it got.

    An answer is a text, a whole `CompletionResponse`, or an exception to raise. Pass it as
    `Flashlite(provider=...)`.
    """

    def __init__(self, answers: Iterable[str | CompletionResponse | BaseException]) -> None:
        self._answers = iter(answers)
        self.requests: list[CompletionRequest] = []

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.requests.append(request)
        try:
            answer = next(self._answers)
        except StopIteration:
            raise AssertionError(f"the script is over: request {len(self.requests)}") from None
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, str):
            return CompletionResponse.of(answer, model=request.model, provider="scripted")
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of `ReplayTransport`; `chunks` are the pieces in which its body arrives.

    An exception among the chunks is raised at its place, like that of a broken connection.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    chunks: tuple[bytes | BaseException, ...] = ()

    @classmethod
    def of(cls, body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """Build an answer with a JSON body."""
        given = {"content-type": "application/json", **(headers or {})}
        return cls(status=status, headers=given, chunks=(json.dumps(body).encode(),))

    @classmethod
    def stream(cls, events: Iterable[Any]) -> Self:
        """Build a stream of server-sent events from JSON values; a str is sent as it is."""
        texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
        chunks = tuple(f"data: {text}\n\n".encode() for text in texts)
        return cls(headers={"content-type": "text/event-stream"}, chunks=chunks)


class ReplayTransport:
    """A transport that returns the given replies in turn and records the requests."""

    def __init__(self, replies: Iterable[Reply | BaseException]) -> None:
        self._replies = iter(replies)
        self.requests: list[WireRequest] = []

    async def send(self, request: WireRequest) -> _Replayed:
        self.requests.append(request)
        reply = next(self._replies)
        if isinstance(reply, BaseException):
            raise reply
        return _Replayed(reply)

    async def aclose(self) -> None:
        pass


class _Replayed:
    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self._chunks = reply.chunks
        self.closed = False

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as `MockServer` got it.

    Header names are lower case; a body that is not JSON is kept as bytes.
    """

    path: str
    headers: Mapping[str, str]
    body: Any


class MockServer:
    """A server of mock models that speaks OpenAI's dialect on a loopback port.

    A request's `model` names the behaviour (`echo`, `calculator?skill=0.8`). A `behaviour` given
    here answers for every model. `requests` has the requests that arrived, in order.

    `options` are those of the behaviour: `answers` of `script` (a list), `skill` of `calculator` (0
    to 1) and its `seed`; `latency` before an answer and `chunk_latency` before each chunk of a
    stream, in seconds; and faults: `status` (300 to 599) with `retry_after` in seconds, `malformed`
    (json, empty, html or choices) and `cut` after so many chunks. `times` limits the faults to the
    first so many requests.

        with MockServer("echo", status=429, times=2) as server:
            client = Flashlite("openai/any", base_url=server.base_url)
    """

    base_url: str

    def __init__(self, behaviour: str | None = None, **options: Any) -> None:
        if options and behaviour is None:
            said = ", ".join(f"{name}={value!r:.40}" for name, value in options.items())
            raise ConfigError(f'options are those of a behaviour: MockServer("echo", {said})')
        self._everyone = MockModel(behaviour, **options) if behaviour else None
        self._models: dict[str, MockModel] = {}
        self._thread = LoopThread("flashlite-mock-server")
        self.requests: list[ReceivedRequest] = []

    def __enter__(self) -> Self:
        self._runner, port = self._thread.run_sync(self._start())
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run_sync(self._runner.cleanup())
        self._thread.stop()

    async def _start(self) -> tuple[web.AppRunner, int]:
        from aiohttp import web

        application = web.Application(client_max_size=2**30)
        application.router.add_post("/v1/chat/completions", self._complete)
        application.router.add_post("/v1/embeddings", self._complete)
        application.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    async def _list(self, request: web.Request) -> web.Response:
        from aiohttp import web

        models = [{"id": name, "object": "model"} for name in BEHAVIOURS]
        return web.json_response({"object": "list", "data": models})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        response = web.StreamResponse()
        with suppress(ConnectionError):  # the client may hang up at any moment
            answer = await self._answer(request)
            response.set_status(answer.status)
            response.headers.update(answer.headers)
            async with aclosing(answer.body) as chunks:
                await _send(chunks, response, request)
        return response

    async def _answer(self, request: web.Request) -> MockAnswer:
        body = _read_json(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(ReceivedRequest(request.path, headers, body))
        try:
            model = self._everyone or self._model(body)
        except Refused as error:
            return refuse(error)
        return await model.answer(body)

    def _model(self, body: Any) -> MockModel:
        if not isinstance(body, dict):
            return MockModel("echo")  # every model refuses such a body
        name = body.get("model")
        if not isinstance(name, str):
            raise Refused("you must provide a model parameter", param="model")
        if name not in self._models:
            try:
                self._models[name] = MockModel(name)
            except ConfigError as error:
                raise Refused(str(error), code="model_not_found", status=404) from error
        return self._models[name]


async def _send(
    chunks: AsyncGenerator[bytes], response: web.StreamResponse, request: web.Request
) -> None:
    await response.prepare(request)
    try:
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
    except Cut:
        if request.transport is not None:  # None if the client hung up first
            request.transport.abort()


def _read_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content


def __getattr__(name: str) -> Any:
    """Create the fixture `mock_server` on first use, because only tests have pytest."""
    if name != "mock_server":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    @pytest.fixture(name="mock_server")
    def fixture() -> Iterator[MockServer]:
        """A `MockServer` on which each request's `model` names the behaviour."""
        with MockServer() as server:
            yield server

    return fixture
