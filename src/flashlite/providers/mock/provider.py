"""The embedded provider: a mock model behind the same dialect and wire as a real host."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from ...errors import APIConnectionError
from ...types import CompletionRequest, CompletionResponse, Target
from ...wire import WireRequest
from ..adapter import Host
from ..embeddings import OpenAIEmbeddingsAdapter
from ..http import HTTPProvider
from ..openai import OpenAIAdapter
from .model import Cut, MockAnswer, MockModel

_HOST = Host(name="mock", base_url="mock://flashlite", needs_key=False)


class MockProvider:
    """A model that needs no key, no network and no other process.

    `MockProvider("calculator", skill=0.8)` answers like `mock/calculator?skill=0.8`; see
    `MockOptions` for the options. Everything but the socket is real: the OpenAI dialect builds
    requests and parses answers, and faults arrive as bytes and broken connections.
    """

    def __init__(self, name: str, **options: Any) -> None:
        transport = _MockTransport(MockModel(name, **options))
        self._http = HTTPProvider(_HOST, OpenAIAdapter(), transport)
        self._embeddings = HTTPProvider(_HOST, OpenAIEmbeddingsAdapter(), transport)
        self._identity = f"{name} {sorted(options.items())}" if options else name

    def target(self, request: CompletionRequest) -> Target:
        """Return the target: this behaviour with these options."""
        return Target(
            provider="mock",
            dialect="openai",
            model=request.model.removeprefix("mock/"),
            address=self._identity,
        )

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        name = request.model.removeprefix("mock/")
        if request.api == "embeddings":
            return await self._embeddings(request.with_(model=name))
        body = dict(request.extra_body)
        if request.sample is not None:
            # A real provider samples each time; the mock needs to know which draw it is.
            body["sample"] = request.sample
        return await self._http(request.with_(model=name, extra_body=body))


class _MockTransport:
    """A transport that passes requests to the model inside the process."""

    def __init__(self, model: MockModel) -> None:
        self._model = model

    async def send(self, request: WireRequest) -> _MockResponse:
        return _MockResponse(await self._model.answer(request.json))

    async def aclose(self) -> None:
        pass


class _MockResponse:
    def __init__(self, answer: MockAnswer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._body = answer.body

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes]:
        try:
            async for chunk in self._body:
                yield chunk
        except Cut as error:
            raise APIConnectionError("the connection broke: the mock was told to cut it") from error

    async def aclose(self) -> None:
        await self._body.aclose()
