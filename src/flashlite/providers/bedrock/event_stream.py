"""A parser of AWS's binary event streams, for bytes split anywhere.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html, whose frames
are common to all of AWS: a prelude with lengths, headers, a payload, and checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from ...errors import StreamInterruptedError
from ...wire import SSEvent, to_json
from .calls import OurCalls
from .library import botocore


class EventStreamParser:
    """Turns chunks of bytes into events; the payload is the data, the event's type its name.

    An error in the middle of a stream becomes an event named `error:` and its code, as in
    `error:throttlingException`. A broken or cut-off frame raises StreamInterruptedError. Calls of
    tools that AWS runs itself are left out.
    """

    def __init__(self) -> None:
        library = botocore("eventstream")
        self._buffer = library.EventStreamBuffer()
        # It raises the last three for invalid headers.
        self._broken = (library.ParserError, struct.error, KeyError, UnicodeDecodeError)
        self._unread = 0
        self._calls = OurCalls()

    def feed(self, chunk: bytes) -> Iterator[SSEvent]:
        """Yield the events that this chunk completes."""
        self._buffer.add_data(chunk)
        self._unread += len(chunk)
        while (message := self._next()) is not None:
            self._unread -= message.prelude.total_length
            yield from self._calls.read(_event(message))

    def close(self) -> Iterator[SSEvent]:
        """Yield nothing; raise StreamInterruptedError if the last frame is incomplete."""
        if self._unread:
            raise StreamInterruptedError("the stream broke off in the middle of a frame")
        return iter(())

    def _next(self) -> Any:
        try:
            return next(self._buffer, None)
        except self._broken as error:
            raise StreamInterruptedError(f"the stream broke off: {error}") from error


def _event(message: Any) -> SSEvent:
    headers, payload = message.headers, message.payload
    match headers.get(":message-type"):
        case "exception":
            return SSEvent(payload, event=f"error:{headers.get(':exception-type')}")
        case "error":
            said = to_json({"message": str(headers.get(":error-message", ""))})
            return SSEvent(said, event=f"error:{headers.get(':error-code')}")
    return SSEvent(payload, event=str(headers.get(":event-type")))
