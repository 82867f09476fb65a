"""Transports, and the requests and responses that they carry."""

from .http import AiohttpTransport, to_json
from .sse import SSEParser, SSEvent, StreamParser
from .transport import Transport, WireRequest, WireResponse

__all__ = [
    "AiohttpTransport",
    "SSEParser",
    "SSEvent",
    "StreamParser",
    "Transport",
    "WireRequest",
    "WireResponse",
    "to_json",
]
