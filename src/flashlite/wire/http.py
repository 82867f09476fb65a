"""The transport on aiohttp: one session per running event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import APIConnectionError, APITimeoutError, CompletionError, ConfigError
from ..types import Timeout, json_bytes, without_password
from .session import Session
from .transport import WireRequest

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientTimeout


_AT_ONCE = 1 << 16  # bytes per chunk of a body in pieces
_STALE_CONNECTIONS = 2  # one is usual; a server that drops every connection must not be flooded


class AiohttpTransport:
    """A transport over HTTP/1.1 with connections kept alive.

    A session belongs to the loop it was opened in and is closed with that loop, so one client works
    across several `asyncio.run` calls without leaking a socket. There is no limit on connections,
    because the layers above limit concurrency. `proxy_for` returns the proxy for an address, or
    None for a direct connection.
    """

    def __init__(self, *, proxy_for: Callable[[str], str | None] | None = None) -> None:
        self._proxy_for = proxy_for or (lambda url: None)
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}

    async def send(self, request: WireRequest) -> HTTPResponse:
        """Send one request, and return when the headers of the response have arrived."""
        session = await self._session()
        body = request.body
        if body is None and request.pieces is None and request.method == "POST":
            body = to_json(request.json)
        try:
            response = await self._send(session, request, body)
        except _foreign(TypeError, ValueError) as error:
            raise _caller_error(error, request.url) or _typed(error, request.timeout) from error
        return HTTPResponse(response, request.timeout, session)

    async def _send(
        self, session: Session, request: WireRequest, body: bytes | None
    ) -> ClientResponse:
        for _ in range(_STALE_CONNECTIONS):
            try:
                return await self._post(session, request, body)
            except OSError as error:
                if not _was_never_sent(error):
                    raise
        return await self._post(session, request, body)

    async def _post(
        self, session: Session, request: WireRequest, body: bytes | None
    ) -> ClientResponse:
        headers = {"Content-Type": "application/json", **request.headers}
        if request.pieces is not None:
            headers["Content-Length"] = str(sum(map(len, request.pieces)))
        return await session.client.request(
            request.method,
            request.url,
            data=body if request.pieces is None else _in_turn(request.pieces),
            headers=headers,
            timeout=_limits(request.timeout),
            proxy=session.proxy(request.url, self._proxy_for),
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
            # Opening never suspends, so no other task can interfere.
            session = self._sessions[loop] = await Session.open()
        return session

    def _forget_ended_loops(self) -> None:
        for loop in [loop for loop in list(self._sessions) if loop.is_closed()]:
            self._sessions.pop(loop, None)


class HTTPResponse:
    """A response of `AiohttpTransport`."""

    def __init__(self, response: ClientResponse, timeout: Timeout, session: Session) -> None:
        self._response = response
        self._session = session  # keeps the session open while the response may be read
        self._timeout = timeout
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }

    async def read(self) -> bytes:
        try:
            return await self._response.read()
        except _foreign() as error:
            raise _typed(error, self._timeout) from error

    async def chunks(self) -> AsyncGenerator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except _foreign() as error:
            raise _typed(error, self._timeout) from error

    async def aclose(self) -> None:
        self._response.close()


@lru_cache
def _limits(timeout: Timeout) -> ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(
        total=timeout.total, sock_connect=timeout.connect, sock_read=timeout.idle
    )


def to_json(body: Mapping[str, Any]) -> bytes:
    """Return a body as JSON; raise ConfigError for values that JSON does not have."""
    try:
        return json_bytes.dumps(body)
    except _NO_JSON as error:
        field = next((name for name, value in body.items() if not _is_json(value)), "it")
        raise ConfigError(f"the request is not JSON: {field}: {error}") from error


_NO_JSON = (TypeError, ValueError, RecursionError)


def _is_json(value: Any) -> bool:
    try:
        json_bytes.dumps(value)
    except _NO_JSON:
        return False
    return True


async def _in_turn(pieces: Sequence[bytes]) -> AsyncGenerator[bytes]:
    """Yield the pieces, small ones joined, so that other tasks can run in between."""
    together, size = list[bytes](), 0
    for piece in pieces:
        together.append(piece)
        size += len(piece)
        if size >= _AT_ONCE:
            yield b"".join(together)
            together, size = [], 0
    yield b"".join(together)


def _foreign(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Return the exceptions that aiohttp raises; imported only when one is caught."""
    import aiohttp

    return (aiohttp.ClientError, OSError, TimeoutError, *more)


def _caller_error(error: Exception, url: str) -> ConfigError | None:
    """Return a ConfigError for what aiohttp refuses to send, or None."""
    import aiohttp

    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | UnicodeError):
        at_fault = str(getattr(error, "url", url))
        return ConfigError(
            f"not a usable address: {without_password(at_fault).partition('?')[0]!r}"
        )
    if isinstance(error, TypeError | ValueError):
        return ConfigError("api_key and headers must be text without line breaks")
    return None


def _without_secrets(url: str) -> str:
    return without_password(url).partition("?")[0]


def _typed(error: Exception, timeout: Timeout) -> CompletionError:
    """Return the CompletionError for an exception of aiohttp."""
    import aiohttp

    match error:
        case aiohttp.ConnectionTimeoutError():
            return _unsent(APITimeoutError(f"no connection within {timeout.connect} s"))
        case aiohttp.SocketTimeoutError():
            return APITimeoutError(f"nothing arrived for {timeout.idle} s")
        case TimeoutError():
            limit = f" within {round(timeout.total, 2):g} s" if timeout.total else ""
            return APITimeoutError(f"no answer{limit}")
    failure = APIConnectionError(_reason(error))
    is_unsent = isinstance(error, aiohttp.ClientConnectorError) or _was_never_sent(error)
    return _unsent(failure) if is_unsent else failure


def _unsent(error: CompletionError) -> CompletionError:
    error.was_sent = False
    return error


def _was_never_sent(error: Exception) -> bool:
    """Return whether no byte was sent, because a kept connection was closed at the first write.

    Some servers (such as llama.cpp's) close a connection that they promised to keep. The pool drops
    such a connection, so another attempt uses the next one, or a new one.
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
