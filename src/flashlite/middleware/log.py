"""A log of every call, one line of JSON per record."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..line_writer import LineWriter
from ..types import CompletionRequest, CompletionResponse, Handler
from ..types.moments import timestamp
from .events import answer_ms, broken
from .records import known, of_error, of_request, of_response, secrets_of, to_line

log = logging.getLogger("flashlite.log")
requests_log = logging.getLogger("flashlite.requests")


class StructuredLogger:
    """Write records as lines of JSON to a file, or else to the logger "flashlite.requests".

    `include_messages` controls whether the prompts are written, `include_content` whether the
    answers are: text, reasoning, refusals and the arguments of tool calls. A text longer than
    `max_text` characters is cut (None: never). Inline media are replaced by a note, and the call's
    secrets are masked wherever they occur.

    Several processes may share a local file. A thread writes the records soon after; a failure to
    write is reported once and never costs an answer. All records are written before the process
    ends.
    """

    def __init__(
        self,
        log_file: str | os.PathLike[str] | None = None,
        *,
        include_messages: bool = True,
        include_content: bool = True,
        max_text: int | None = 10_000,
    ) -> None:
        if max_text is not None and max_text < 0:
            raise ConfigError(f"max_text is a number of characters, or None for all: {max_text}")
        self.include_messages = include_messages
        self.include_content = include_content
        self._max_text = max_text
        self._file = None if log_file is None else LineWriter(log_file)

    def write(self, record: Mapping[str, Any], *, secrets: tuple[str, ...] = ()) -> None:
        """Queue a record for writing, as it is now and with the secrets masked; never block."""
        if self._file is not None:
            self._file.write(self._line(record, secrets))
        elif requests_log.isEnabledFor(logging.INFO):
            requests_log.info("%s", self._line(record, secrets).decode())

    async def room(self) -> None:
        """Wait while the queue of records to be written is full."""
        if self._file is not None:
            await self._file.room()

    def flush(self) -> None:
        """Block until everything is written; on an event loop, use `await aflush()`."""
        if self._file is not None:
            self._file.flush()

    async def aflush(self) -> None:
        """Return when everything is written."""
        if self._file is not None:
            await self._file.aflush()

    def close(self) -> None:
        """Flush and close the file; the next record opens it again."""
        if self._file is not None:
            self._file.close()

    async def aclose(self) -> None:
        """Do what `close` does, without blocking the loop."""
        await self.aflush()
        self.close()

    def _line(self, record: Mapping[str, Any], secrets: tuple[str, ...]) -> bytes:
        return to_line(record, max_text=self._max_text, secrets=secrets)


class Log:
    """Write a record of each request, and one of its outcome.

    The outcome is a "response", an "error" (also for a broken or abandoned stream), or "cancelled".
    """

    def __init__(
        self,
        logger: StructuredLogger,
        *,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(logger, StructuredLogger):
            raise ConfigError(f"structured_logger is a StructuredLogger(...); got {logger!r:.80}")
        self._logger = logger
        self._clock = clock
        self._now = now

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        await self._logger.room()
        call = _Call(request, self._logger, self._clock, self._now)
        call.begin()
        try:
            response = await call_next(request)
        except BaseException as error:
            call.fail(error)
            raise
        call.answered = self._clock()
        # A plain function, so that an answer that is dropped unread is recorded too.
        await response.on_complete(call.complete)
        return response


class _Call:
    """The log records of one call."""

    __slots__ = ("_clock", "_logger", "_now", "_request", "_secrets", "_started", "answered")

    def __init__(
        self,
        request: CompletionRequest,
        logger: StructuredLogger,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._request = request
        self._logger = logger
        self._clock = clock
        self._now = now
        self._secrets = secrets_of(request)
        self._started = clock()
        self.answered = self._started

    def begin(self) -> None:
        with_messages = self._logger.include_messages
        self._write("request", of_request(self._request, with_messages=with_messages))

    def complete(self, response: CompletionResponse) -> None:
        answer = of_response(response, with_content=self._logger.include_content)
        if response.ok:
            found_in = (self.answered - self._started) * 1000
            latency = answer_ms(response, found_in=found_in)
            self._write("response", {"latency_ms": round(latency, 3), **answer})
        else:
            error = of_error(broken(self._request, response))
            self._write("error", {"latency_ms": self.elapsed(), **answer, **error})

    def fail(self, error: BaseException) -> None:
        """Record an error, or that the call was cancelled."""
        if isinstance(error, Exception):
            self._write("error", {"latency_ms": self.elapsed(), **of_error(error)})
        else:
            self._write("cancelled", {"latency_ms": self.elapsed()})

    def elapsed(self) -> float:
        return round((self._clock() - self._started) * 1000, 3)

    def _write(self, kind: str, fields: Mapping[str, Any]) -> None:
        request = self._request
        record = {
            "type": kind,
            "time": timestamp(self._now(), digits=3),
            "request_id": request.id,
            "model": request.model,
            **fields,
        }
        self._logger.write(known(record), secrets=self._secrets)


def read_log(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield the records of a log file, oldest first.

    An incomplete last line is skipped: it is still being written, or its writer was killed. Any
    other line that is not a record is skipped with a warning.
    """
    with Path(path).expanduser().open("rb") as lines:
        for number, line in enumerate(lines, 1):
            record = _read(line)
            if record is not None:
                yield record
            elif line.endswith(b"\n") and line.strip():
                log.warning("%s: line %d is no record", path, number)


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
