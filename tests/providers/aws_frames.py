"""Frames of AWS's binary event streams, written as its documentation draws them."""

from __future__ import annotations

import json
import struct
from binascii import crc32
from collections.abc import Iterable, Mapping
from typing import Any

from flashlite.errors import APIConnectionError
from flashlite.testing import Reply


def binary_stream(events: Iterable[Any]) -> Reply:
    """Build a stream: an event is its kind and its JSON, null is a broken connection.

    `["exception", name, JSON]` and `["error", code, message]` are what goes wrong on the way.
    """
    return Reply(
        headers={"content-type": "application/vnd.amazon.eventstream"},
        chunks=tuple(_chunk(event) for event in events),
    )


def _chunk(event: Any) -> bytes | BaseException:
    match event:
        case None:
            return APIConnectionError("the connection broke")
        case ["exception", name, said]:
            return frame({":message-type": "exception", ":exception-type": name}, _json(said))
        case ["error", code, said]:
            headers = {":message-type": "error", ":error-code": code, ":error-message": said}
            return frame(headers, b"")
        case [kind, told] | (kind, told):
            return frame({":message-type": "event", ":event-type": kind}, _json(told))
    raise AssertionError(f"not an event: {event!r}")


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Write one frame; every header is a text, which is type 7."""
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    whole = prelude + struct.pack("!I", crc32(prelude)) + head + payload
    return whole + struct.pack("!I", crc32(whole))


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + b"\x07" + struct.pack("!H", len(value)) + value


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
