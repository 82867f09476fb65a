"""The transport on aiohttp: one session per running event loop."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import APIConnectionError, APITimeoutError, ConfigError
from ..types import Timeout
from .session import Session
from .transport import WireRequest

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, ClientTimeout


_STALE_CONNECTIONS = 2  # one is usual; a server that hangs up on everybody must not be stormed


class AiohttpTransport:
    """Send over HTTP/1.1 with connections kept alive.

    A session belongs to the loop it was opened in and never crosses over: it is closed with its
    loop, so one client works across several `asyncio.run` without leaking a socket. There is no
    cap on connections, because how many calls run at once is decided by the layers above.
    `proxy_for` tells the proxy for an address, None for a direct connection.
    """

    def __init__(self, *, proxy_for: Callable[[str], str | None] | None = None) -> None:
        self._proxy_for = proxy_for or (lambda url: None)
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}

    async def send(self, request: WireRequest) -> HTTPResponse:
        session = await self._session()
        body = _to_json(request.json)
        with _typed_errors(request.timeout), _callers_errors(request.url):
            response = await self._send(session.client, request, body)
        return HTTPResponse(response, request.timeout, session)

    async def _send(
        self, client: ClientSession, request: WireRequest, body: bytes
    ) -> ClientResponse:
        for _ in range(_STALE_CONNECTIONS):
            try:
                return await self._post(client, request, body)
            except OSError as error:
                if not _was_never_sent(error):
                    raise
        return await self._post(client, request, body)

    async def _post(
        self, client: ClientSession, request: WireRequest, body: bytes
    ) -> ClientResponse:
        return await client.post(
            request.url,
            data=body,
            headers={"Content-Type": "application/json", **request.headers},
            timeout=_limits(request.timeout),
            proxy=self._proxy_for(request.url),
            allow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close the session of the running loop; other loops close theirs when they end."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.aclose()

    async def _session(self) -> Session:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            self._forget_ended_loops()
            # Opening never suspends, so nobody else comes in between.
            session = self._sessions[loop] = await Session.open()
        return session

    def _forget_ended_loops(self) -> None:
        for loop in [loop for loop in list(self._sessions) if loop.is_closed()]:
            self._sessions.pop(loop, None)


class HTTPResponse:
    """A response of `AiohttpTransport`."""

    def __init__(self, response: ClientResponse, timeout: Timeout, session: Session) -> None:
        self._response = response
        self._session = session  # stays open as long as somebody may be reading
        self._timeout = timeout
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }

    async def read(self) -> bytes:
        with _typed_errors(self._timeout):
            return await self._response.read()

    async def chunks(self) -> AsyncGenerator[bytes]:
        with _typed_errors(self._timeout):
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        self._response.close()


def _limits(timeout: Timeout) -> ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(
        total=timeout.total, sock_connect=timeout.connect, sock_read=timeout.idle
    )


def _to_json(body: Mapping[str, Any]) -> bytes:
    import orjson

    try:
        return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        pass  # it takes neither half an emoji nor an integer of more than 64 bits; both are JSON
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the request is not JSON: {error}") from error


@contextmanager
def _callers_errors(url: str) -> Iterator[None]:
    """Turn what aiohttp raises before it sends into our error."""
    import aiohttp

    try:
        yield
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError) as error:
        at_fault = str(getattr(error, "url", url))
        raise ConfigError(f"not a usable address: {_without_secrets(at_fault)!r}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError("api_key and headers must be text without line breaks") from error


def _without_secrets(url: str) -> str:
    return re.sub(r"//[^/]*@", "//", url).partition("?")[0]


@contextmanager
def _typed_errors(timeout: Timeout) -> Iterator[None]:
    """Turn what aiohttp raises into our errors."""
    import aiohttp

    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise APITimeoutError(f"no connection within {timeout.connect} s") from error
    except aiohttp.SocketTimeoutError as error:
        raise APITimeoutError(f"nothing arrived for {timeout.idle} s") from error
    except TimeoutError as error:
        limit = f" within {round(timeout.total, 2):g} s" if timeout.total else ""
        raise APITimeoutError(f"no answer{limit}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise APIConnectionError(_reason(error)) from error


def _was_never_sent(error: Exception) -> bool:
    """Whether not one byte went out: a kept connection turned out to be closed at the first write.

    Some servers (llama.cpp's is one) close a connection that they promised to keep. The pool drops
    such a connection, so that another try takes the next one, or a new one.
    """
    return str(error.__cause__) == "Cannot write to closing transport"


def _reason(error: Exception) -> str:
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.strerror or type(error.__cause__ or error).__name__
        return f"could not connect to {error.host}:{error.port}: {cause}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection broke in the middle of the body"
    if _was_never_sent(error):
        return "the connection was closed before the request was sent"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy refused the connection: {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is not HTTP: {' '.join(error.message.split())}"
    return f"the connection broke: {_without_secrets(str(error)) or type(error).__name__}"
