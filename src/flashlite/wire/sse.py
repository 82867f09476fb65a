"""A parser of server-sent events, for bytes split anywhere.

It follows the WHATWG HTML standard, section "Interpreting an event stream", with one exception: a
last event without its closing blank line is still yielded, because servers forget that line. The
dialect decides whether such a stream was complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class SSEvent(NamedTuple):
    """One event; `data` stays bytes for the JSON parser."""

    data: bytes
    event: str = "message"
    id: str | None = None
    retry: int | None = None


class StreamParser(Protocol):
    """A parser that splits the bytes of a stream into events."""

    def feed(self, chunk: bytes) -> Iterator[SSEvent]:
        """Yield the events that this chunk completes; raise CompletionError for invalid bytes."""
        ...

    def close(self) -> Iterator[SSEvent]:
        """Yield what the end of the stream leaves unfinished."""
        ...


class SSEParser:
    """Turns chunks of bytes into events; a line, a character or a CR LF may span chunks."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = False
        self._started = False
        self._data: list[bytes] = []
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> Iterator[SSEvent]:
        """Yield the events that this chunk completes."""
        self._pieces.append(chunk)
        if not self._held and b"\n" not in chunk and b"\r" not in chunk:
            return  # an image is one line of megabytes; it is joined once
        text = b"".join(self._pieces)
        if not self._started:
            self._started = True
            text = text.removeprefix(b"\xef\xbb\xbf")
        held = b""
        if b"\r" in text:
            if text.endswith(b"\r"):
                text, held = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._pieces, self._held = [rest + held], bool(held)
        for line in lines:
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                yield event

    def close(self) -> Iterator[SSEvent]:
        """Yield what the end of the stream leaves unfinished."""
        yield from self.feed(b"\n")
        if (event := self._dispatch()) is not None:
            yield event

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 16:
            self._retry = int(value)

    def _dispatch(self) -> SSEvent | None:
        data, self._data = self._data, []
        event, self._event = self._event, ""
        retry, self._retry = self._retry, None
        if not data:
            return None
        return SSEvent(b"\n".join(data), event or "message", self._id, retry)
