"""A mock model: a behaviour, its options, and the faults it was told to have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from ...errors import ConfigError
from . import openai_form
from .behaviours import BEHAVIOURS, Refused, Turn
from .options import MockOptions

_JSON = {"content-type": "application/json"}
_SSE = {"content-type": "text/event-stream"}
_BROKEN = {
    "json": b'{"choices": [{"message": {"role": "assistant", "cont',
    "empty": b"",
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "choices": b'{"id": "x", "object": "chat.completion", "choices": []}',
}


class Cut(Exception):
    """The connection breaks here."""


@dataclass(frozen=True, slots=True)
class MockAnswer:
    """What goes back over the wire; `body` raises `Cut` where the connection is to break."""

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes] = field(repr=False)


class MockModel:
    """Answer requests in OpenAI's wire form.

    `name` is a behaviour, with options behind it if need be: `calculator?skill=0.8`.
    """

    def __init__(self, name: str, **options: Any) -> None:
        behaviour, _, query = name.partition("?")
        if behaviour not in BEHAVIOURS:
            raise ConfigError(
                f"unknown mock behaviour {behaviour!r}: there are {', '.join(BEHAVIOURS)}"
            )
        self._behaviour = BEHAVIOURS[behaviour]
        self._options = MockOptions.read(dict(parse_qsl(query)) | options)
        self._requests = 0
        self._turns = 0

    async def answer(self, body: Mapping[str, Any]) -> MockAnswer:
        """Answer one request."""
        options, number = self._options, self._requests
        self._requests += 1
        is_faulty = options.times is None or number < options.times
        if options.latency:
            await asyncio.sleep(options.latency)
        if is_faulty and options.status is not None:
            return self._refuse(options.status, f"the mock was told to answer {options.status}")
        if is_faulty and options.malformed is not None:
            return MockAnswer(200, _JSON, self._send([_BROKEN[options.malformed]], None))
        try:
            whole = openai_form.completion(body, self._messages(body))
        except Refused as error:
            return self._refuse(400, str(error))
        cut = options.cut if is_faulty else None
        if body.get("stream"):
            return MockAnswer(200, _SSE, self._send(_stream(body, whole), cut))
        return MockAnswer(200, _JSON, self._send([json.dumps(whole).encode()], cut))

    def _messages(self, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        number, self._turns = self._turns, self._turns + 1
        count = body.get("n") or 1
        return [self._behaviour(Turn(body, self._options, number, draw)) for draw in range(count)]

    def _refuse(self, status: int, message: str) -> MockAnswer:
        wait = self._options.retry_after
        headers = _JSON if wait is None else _JSON | {"retry-after": f"{wait:g}"}
        error = json.dumps(openai_form.error(status, message)).encode()
        return MockAnswer(status, headers, self._send([error], None))

    async def _send(
        self, pieces: Iterator[bytes] | list[bytes], cut: int | None
    ) -> AsyncGenerator[bytes]:
        """Yield the pieces; a cut comes after so many of them, or in the middle of the only one."""
        for position, piece in enumerate(pieces):
            if cut is not None and position >= cut:
                yield piece[: len(piece) // 2]
                raise Cut
            if self._options.chunk_latency:
                await asyncio.sleep(self._options.chunk_latency)
            yield piece


def _stream(body: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[bytes]:
    wanted = (body.get("stream_options") or {}).get("include_usage", False)
    for chunk in openai_form.chunks(whole, include_usage=wanted):
        yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"
