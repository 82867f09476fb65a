"""Uses of a stream: show it in a browser, call functions, collect the whole answer."""

from ..types.stream import format_sse_event
from .buffering import BufferingAdapter, collect_stream, stream_to_string
from .callbacks import CallbackAdapter
from .pushing import PusherStreamer
from .sse import SSEAdapter

__all__ = [
    "BufferingAdapter",
    "CallbackAdapter",
    "PusherStreamer",
    "SSEAdapter",
    "collect_stream",
    "format_sse_event",
    "stream_to_string",
]
