"""The wire: transports, and what travels over them."""

from .http import AiohttpTransport
from .sse import SSEParser, SSEvent
from .transport import Transport, WireRequest, WireResponse

__all__ = [
    "AiohttpTransport",
    "SSEParser",
    "SSEvent",
    "Transport",
    "WireRequest",
    "WireResponse",
]
