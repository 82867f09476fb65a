"""The bottom of the stack where requests travel in jobs: who answers, in which dialect, for what.

To a provider a job is a slow transport: it spells requests and reads answers as ever.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from ...errors import ConfigError
from ...providers import HTTPProvider, Route, resolve
from ...providers.batches import BatchAdapter, batch_adapter_for
from ...providers.dialects import adapter_for
from ...types import CompletionRequest, CompletionResponse
from ...wire import WireRequest, WireResponse
from .jobs import Jobs


class JobProvider:
    """Answer requests by the batch APIs of the hosts that their models' names lead to.

    A usage costs what it does in a batch. The `request_id` of an answer names the request in its
    job, and its `service_tier`, among the `facts`, is "batch".
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._providers: dict[tuple[str, str], HTTPProvider] = {}

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        route = resolve(request.model, base_url=request.base_url, api=request.api)
        provider = self._provider(route)
        response = await provider(request.with_(model=route.model))
        response.facts = {**response.facts, "service_tier": "batch"}
        return response

    def _provider(self, route: Route) -> HTTPProvider:
        host = route.host
        if host is None or host.batches is None:
            raise ConfigError(
                f"no batch API is known of {route.provider}: ask {route.model} without "
                "mode='provider'"
            )
        name = (host.name, host.dialect)
        if name not in self._providers:
            transport = JobTransport(batch_adapter_for(host.batches), self._jobs, host.name)
            adapter = adapter_for(host.dialect)
            self._providers[name] = HTTPProvider(host, adapter, transport, batch=True)
        return self._providers[name]


class JobTransport:
    """Send requests in jobs of a provider, with as much patience as that takes."""

    def __init__(self, adapter: BatchAdapter, jobs: Jobs, provider: str) -> None:
        self._adapter, self._jobs, self._provider = adapter, jobs, provider

    async def send(self, request: WireRequest) -> WireResponse:
        if request.method == "GET":
            return await self._jobs.transport.send(request)
        if request.json.get("stream"):
            raise ConfigError("a provider's batch API does not stream: leave stream=True out")
        result = await self._jobs.answer(self._adapter, request, provider=self._provider)
        if result.error is not None:
            raise result.error
        headers = {"content-type": "application/json", "x-request-id": result.custom_id}
        return _Arrived(result.status, headers, result.body)

    async def aclose(self) -> None:
        """Do nothing: the transport below belongs to the client."""


@dataclass(slots=True)
class _Arrived:
    """A response that is all there."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    async def read(self) -> bytes:
        return self.body

    async def chunks(self) -> AsyncGenerator[bytes]:
        yield self.body

    async def aclose(self) -> None:
        pass
