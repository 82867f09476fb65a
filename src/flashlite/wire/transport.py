"""The transport protocol, the only connection between flashlite and a network."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..types import Timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A request as it is sent; `json` is the body before encoding.

    `body` holds the bytes if they are already fixed because they were signed, and `pieces` a body
    too large to be joined. A GET has none of these.
    """

    url: str
    json: Mapping[str, Any] = field(default_factory=dict[str, Any])
    method: Literal["POST", "GET"] = "POST"
    body: bytes | None = field(default=None, repr=False)
    pieces: Sequence[bytes] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout: Timeout = field(default_factory=Timeout)


class WireResponse(Protocol):
    """A response whose headers have arrived and whose body has not been read yet.

    Header names are lower case. Reading raises APIConnectionError when the connection breaks, and
    APITimeoutError when a time limit passes. The receiver of a response must read or close it.
    """

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """Return the whole body and release the connection."""
        ...

    def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body in pieces of any size as they arrive."""
        ...

    async def aclose(self) -> None:
        """Close the connection; may be called at any time, more than once."""
        ...


class Transport(Protocol):
    """Something that sends requests."""

    async def send(self, request: WireRequest) -> WireResponse:
        """Send one request, once, and return when the headers of the response have arrived.

        Raises APIConnectionError or APITimeoutError; never sends a request twice.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; the transport may be used again afterwards."""
        ...
