"""A provider over HTTP: a dialect, a host and a transport combined."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from time import perf_counter

from .. import env
from ..errors import APIConnectionError, CompletionError, ConfigError, StreamInterruptedError
from ..models import priced
from ..types import (
    CompletionRequest,
    CompletionResponse,
    Delta,
    StreamEvent,
    Target,
    Usage,
    assemble,
    place_of,
)
from ..wire import Transport, WireRequest, WireResponse
from .accepted import accepted, named
from .adapter import Adapter, Endpoint, Host
from .media import with_urls_inlined
from .reading import NOT_AN_ANSWER, is_json, require_all
from .refusals import request_id, signed
from .text_tool_calls import calls_read, with_calls_read


class HTTPProvider:
    """Sends requests to one host, and reads its answers and errors.

    With `batch`, requests are priced as in a batch.
    """

    def __init__(
        self, host: Host, adapter: Adapter, transport: Transport, *, batch: bool = False
    ) -> None:
        self.host = host
        self._batch = batch
        self._adapter = adapter
        self._transport = transport
        self._prove = None if host.credentials is None else host.credentials()
        self._reported: set[str] = set()

    def target(self, request: CompletionRequest) -> Target:
        """Return the target of a request."""
        return target_at(self.host, request)

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        endpoint = locate(self.host, base_url=request.base_url, api_key=request.api_key)
        host = endpoint.host
        request = accepted(request, host.refuses, name=host.name, reported=self._reported)
        if host.names is not None:
            request = named(request, host.names, name=host.name, reported=self._reported)
        if host.inlines_urls:
            with signed(host.name, request.model, api_key=endpoint.api_key):
                request = await with_urls_inlined(request, self._transport)
        wire = self._spelled(request, endpoint)
        if request.on_send is not None:
            request.on_send(wire.json)
        if self._prove is not None:
            with signed(host.name, request.model, api_key=endpoint.api_key):
                wire = await self._prove(wire)
        exchange = _Exchange(
            request=request,
            endpoint=endpoint,
            adapter=self._adapter,
            sent=wire.headers,
            batch=self._batch,
        )
        with exchange.signing_errors():
            http = await self._transport.send(wire)
        with exchange.signing_errors(http):
            return await exchange.answer(http)

    def _spelled(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        """Build the wire request; raise ConfigError if a value's type makes the dialect fail."""
        try:
            return self._adapter.build_request(request, endpoint)
        except NOT_AN_ANSWER as error:
            raise ConfigError(
                f"the request cannot be said to {endpoint.host.name}: something in its messages or "
                f"parameters is of another kind than it should be ({error!r:.200})"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exchange:
    """One request and its response."""

    request: CompletionRequest
    endpoint: Endpoint
    adapter: Adapter
    sent: Mapping[str, str]
    batch: bool
    started: float = field(default_factory=perf_counter)

    def signing_errors(self, http: WireResponse | None = None) -> AbstractContextManager[None]:
        """Add provider, model and request id to errors, and remove keys."""
        return signed(
            self.endpoint.host.name,
            self.request.model,
            api_key=self.endpoint.api_key,
            sent=self.sent,
            received=http.headers if http else None,
        )

    async def answer(self, http: WireResponse) -> CompletionResponse:
        """Read the answer, or open it as a stream; close a connection that is no longer needed."""
        try:
            if http.status != 200:
                raise await self._refusal(http)
            if self.request.stream and not is_json(http.headers):
                return await CompletionResponse.open(partial(self._events, http))
            return await self._whole(http)
        except BaseException:
            await http.aclose()
            raise

    async def _refusal(self, http: WireResponse) -> CompletionError:
        error = self.adapter.parse_error(http.status, http.headers, await http.read())
        lacks_version = not re.search(r"/v\d", self.endpoint.base_url)
        if http.status == 404 and lacks_version and self.endpoint.host.dialect in _VERSIONED:
            error.reason += f"; does base_url {place_of(self.endpoint.base_url)} lack its /v1?"
        return error

    async def _whole(self, http: WireResponse) -> CompletionResponse:
        response = self.adapter.parse_response(await http.read())
        if self._reads_text_calls:
            response.choices = tuple(map(with_calls_read, response.choices))
        if self.request.api == "embeddings":
            require_all(self.request, response)
        self._describe(response, http)
        if response.usage is not None:
            response.usage = self._price(response, response.usage)
        return response

    async def _events(
        self, http: WireResponse, response: CompletionResponse
    ) -> AsyncGenerator[StreamEvent]:
        deltas = self._deltas(http, response)
        if self._reads_text_calls:
            deltas = calls_read(deltas)
        with self.signing_errors(http):
            price = partial(self._price, response)
            whole = assemble(deltas, response, choices=self._choices(), price=price)
            async with aclosing(whole) as events:
                async for event in events:
                    yield event

    async def _deltas(
        self, http: WireResponse, response: CompletionResponse
    ) -> AsyncGenerator[Delta]:
        parser = self.endpoint.host.stream_parser()
        try:
            async with aclosing(http.chunks()) as chunks:
                async for chunk in chunks:
                    for event in parser.feed(chunk):
                        for delta in self.adapter.parse_stream_event(event):
                            yield delta
            for event in parser.close():
                for delta in self.adapter.parse_stream_event(event):
                    yield delta
        except APIConnectionError as error:
            raise StreamInterruptedError(f"the stream broke off: {error.reason}") from error
        finally:
            self._describe(response, http)
            await http.aclose()

    @property
    def _reads_text_calls(self) -> bool:
        may_call = self.request.tools and self.request.params.get("tool_choice") != "none"
        return self.endpoint.host.reads_text_calls and bool(may_call)

    def _choices(self) -> int:
        n = self.request.params.get("n")
        return n if isinstance(n, int) else 1

    def _describe(self, response: CompletionResponse, http: WireResponse) -> None:
        response.provider = self.endpoint.host.name
        response.headers = http.headers
        response.request_id = request_id(http.headers)
        response.latency = perf_counter() - self.started

    def _price(self, response: CompletionResponse, usage: Usage) -> Usage:
        """Add the cost of the usage, unless the provider reported what it billed."""
        if usage.total_cost is not None:
            return usage
        name = f"{self.endpoint.host.name}/{self.request.model}"
        return priced(usage, name, batch=self.batch, tier=response.facts.get("service_tier"))


_VERSIONED = ("openai", "responses")  # dialects whose addresses end in a version


def locate(host: Host, *, base_url: str | None = None, api_key: str | None = None) -> Endpoint:
    """Return a host's endpoint, with address and key from the call, else the environment.

    Raises ConfigError, naming the variable, if the host's own address needs a key and there is
    none. At another address the key is optional and the host's special rules do not apply.
    """
    url, key = _address(host, base_url), api_key or env.first(host.key_vars)
    at_home = url == host.base_url or _given(host, base_url) is None
    if key is None and host.needs_key and at_home:
        names = " or ".join(host.key_vars)
        raise ConfigError(f"no API key for {host.name}: set {names}, or pass api_key=...")
    return Endpoint(host=host if at_home else host.elsewhere, base_url=url, api_key=key)


def target_at(host: Host, request: CompletionRequest) -> Target:
    """Return the target of a request at a host; a missing key is allowed, as a cache needs none."""
    return Target(
        provider=host.name,
        dialect=host.dialect,
        model=request.model,
        address=place_of(_address(host, request.base_url)),
        account=account(request.api_key or env.first(host.key_vars)),
        takes_schema=_takes_schema(host, request),
        max_inputs=host.max_inputs,
    )


def _takes_schema(host: Host, request: CompletionRequest) -> bool:
    if host.takes_schema is not None:
        return host.takes_schema(request.model, with_tools=bool(request.tools))
    return "response_format" not in host.refuses


def where(host: Host) -> dict[str, str]:
    """Return a description of a host's address and of the variable with its key."""
    try:
        told = {"address": place_of(_address(host, None))}
    except ConfigError as error:
        told = {"address": f"unknown: {error}"}
    name = next((name for name in host.key_vars if env.get(name)), None)
    if name is not None:
        return told | {"key": f"in {name}"}
    if not host.key_vars:
        return told | {"key": "none is needed"}
    names, needed = " or ".join(host.key_vars), "" if host.needs_key else ", which may stay so"
    return told | {"key": f"{names} is not set{needed}"}


@lru_cache(maxsize=64)
def account(api_key: str | None) -> str:
    """Return a text that distinguishes a key from others without revealing it."""
    return sha256(api_key.encode()).hexdigest()[:8] if api_key else ""


def _address(host: Host, base_url: str | None) -> str:
    return (_given(host, base_url) or host.home).rstrip("/")


def _given(host: Host, base_url: str | None) -> str | None:
    return base_url or env.first(host.url_vars)
