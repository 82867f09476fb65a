"""A mock model: a behaviour, its options, and configured faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from ...errors import ConfigError
from . import openai_form
from .asked import Refused, check
from .behaviours import BEHAVIOURS, Turn
from .embedding import embeddings, is_for_embeddings
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
    """Raised where the connection is to break."""


@dataclass(frozen=True, slots=True)
class MockAnswer:
    """The response to send; `body` raises `Cut` where the connection is to break."""

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes] = field(repr=False)


class MockModel:
    """A model that answers requests in OpenAI's wire form, including embeddings.

    `name` is a behaviour, optionally followed by options: `calculator?skill=0.8`. A vector depends
    only on a text's words, whatever the behaviour.
    """

    def __init__(self, name: str, **options: Any) -> None:
        behaviour, _, query = name.partition("?")
        if behaviour not in BEHAVIOURS:
            raise ConfigError(
                f"unknown mock behaviour {behaviour!r}: there are {', '.join(BEHAVIOURS)}"
            )
        self._behaviour = BEHAVIOURS[behaviour]
        # A name without a value is kept, because it would otherwise be ignored silently.
        written = dict(parse_qsl(query, keep_blank_values=True))
        self._options = MockOptions.read(written | options)
        self._requests = 0
        self._turns = 0

    async def answer(self, body: Any) -> MockAnswer:
        """Answer one request; refuse an invalid body as a server would."""
        options = self._options.at(self._requests)
        self._requests += 1
        if options.latency:
            await asyncio.sleep(options.latency)
        if options.status is not None or options.malformed is not None:
            return self._fail(options)
        try:
            if is_for_embeddings(body):
                return self._whole(200, _JSON, json.dumps(embeddings(body)).encode(), options.cut)
            check(body)
            whole = openai_form.completion(body, self._messages(body))
        except Refused as error:
            return refuse(error)
        except RecursionError:
            return refuse(Refused("The request is nested too deeply."))
        if body.get("stream"):
            return MockAnswer(200, _SSE, self._send(_stream(body, whole), options.cut))
        return self._whole(200, _JSON, json.dumps(whole).encode(), options.cut)

    def _messages(self, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        number, self._turns = self._turns, self._turns + 1
        count = body.get("n") or 1
        return [self._behaviour(Turn(body, self._options, number, draw)) for draw in range(count)]

    def _fail(self, options: MockOptions) -> MockAnswer:
        status, wait = options.status or 200, options.retry_after
        headers = _JSON if wait is None else _JSON | {"retry-after": f"{wait:g}"}
        if options.malformed is not None:
            return self._whole(status, headers, _BROKEN[options.malformed], options.cut)
        error = openai_form.error(status, f"the mock was told to answer {status}")
        return self._whole(status, headers, json.dumps(error).encode(), options.cut)

    def _whole(
        self, status: int, headers: Mapping[str, str], content: bytes, cut: int | None
    ) -> MockAnswer:
        # There is only one piece, so any cut is in the middle of it.
        return MockAnswer(status, headers, self._send([content], None if cut is None else 0))

    async def _send(
        self, pieces: Iterator[bytes] | list[bytes], cut: int | None
    ) -> AsyncGenerator[bytes]:
        """Yield the pieces; `cut` breaks in the middle of the piece after that many."""
        for position, piece in enumerate(pieces):
            if cut is not None and position >= cut:
                yield piece[: len(piece) // 2]
                raise Cut
            if self._options.chunk_latency:
                await asyncio.sleep(self._options.chunk_latency)
            yield piece


def refuse(error: Refused) -> MockAnswer:
    """Return the answer to a request that cannot be served."""

    async def send() -> AsyncGenerator[bytes]:
        refusal = openai_form.refusal(str(error), param=error.param, code=error.code)
        yield json.dumps(refusal).encode()

    return MockAnswer(error.status, _JSON, send())


def _stream(body: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[bytes]:
    wanted = (body.get("stream_options") or {}).get("include_usage", False)
    for chunk in openai_form.chunks(whole, include_usage=wanted):
        yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"
