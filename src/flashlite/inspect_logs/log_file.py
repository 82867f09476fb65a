"""One log in the making: the files of one run in one process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from ..types.moments import timestamp
from .files import Paths, hold
from .header import Run, Status, Sum, header, named
from .journal import Journal
from .live import Live
from .plain import Fragment, encode
from .record_stream import RecordStream
from .samples import Sample
from .snapshot import finish, publish

START, HEADER, SUMMARIES = "_journal/start.json", "header.json", "summaries.json"
_MOST_SUMMARIES = 500  # in memory


class LogFile:
    """Writes samples to a file that grows, and shows what is there so far as a log.

    A sample is safe when `add` returns. `publish` makes the log that others see, `finish` the last
    one. Everything may be called from any thread.
    """

    def __init__(self, paths: Paths, run: Run) -> None:
        self.paths = paths
        self._start = self._told = run.start()
        self._file: BinaryIO = hold(paths.part)
        self._stream = RecordStream(self._file)
        self._stream.append(START, encode(self._start))
        self._journal = Journal(paths.journal)
        self._live = Live(paths.live)
        self._open: dict[str, Sample] = {}
        self._lock, self._publishing = threading.RLock(), threading.Lock()
        self._summaries: list[bytes] = []
        self._places: list[int] = []  # where the records with summaries begin
        self._models: set[str] = set()
        self._shown = 0  # bytes of the stream that are in the log which others see

    def follow(self, sample: Sample) -> None:
        """Keep and show what a sample gains, until it is added."""
        with self._lock:
            self._open[sample.uuid] = sample
        self._journal.begin(sample)

    def note(self, sample: Sample) -> bool:
        """Keep what a sample gained, if it is followed."""
        is_followed = sample.uuid in self._open
        if is_followed:
            with sample.lock:
                self._journal.note(sample)
        return is_followed

    def add(
        self,
        sample: Sample,
        document: Mapping[str, Any],
        summary: Mapping[str, Any],
        secrets: tuple[str, ...],
    ) -> None:
        """Write a sample that is over."""
        # Media are texts that may look like anything, so no secret is looked for in them.
        media = Fragment(encode(document["attachments"]))
        whole = encode({**document, "attachments": media}, secrets=secrets)
        line = encode(summary, secrets=secrets)
        with self._lock:
            self._require_open()
            try:
                self._stream.append(member_name(sample.id, sample.epoch), whole)
                self._summaries.append(line)
                self._models.update(summary["model_usage"])
                if len(self._summaries) >= _MOST_SUMMARIES:
                    with suppress(OSError):  # the sample is safe; this comes with the next
                        self._write_summaries()
            finally:
                self._open.pop(sample.uuid, None)
        self._journal.end(sample)

    def publish(self, *, live: bool) -> None:
        """Show what is there so far: whole samples in the log, running ones beside it."""
        with self._publishing:
            with self._lock:
                self._require_open()
                self._write_summaries()
                self._name_model()
                size, directory = self._stream.size, self._stream.directory()
                running = list(self._open.values())
            if size != self._shown or not self.paths.log.exists():
                publish(self._stream, size, directory, self.paths.log)
                self._shown = size
            if live:
                self._live.show(running)

    def finish(
        self,
        status: Status,
        error: Mapping[str, Any] | None = None,
        *,
        ended: float | None = None,
    ) -> None:
        """Write what the samples come to, and close the log; it ended now, or at a Unix time."""
        with self._publishing, self._lock:
            self._write_summaries()
            summaries = map(self._stream.read, self._places)
            write_end(self._stream, self._start, summaries, status, error, ended=ended)
            finish(self._stream, self.paths.part, self.paths.log)
            self._file.close()
        self._journal.remove()
        self._live.remove()

    def discard(self) -> None:
        """Leave nothing behind of a log that is not finished."""
        if not self._file.closed:
            self._file.close()
            self.paths.part.unlink(missing_ok=True)
            self._journal.remove()
            self._live.remove()

    def running(self) -> list[Sample]:
        """Return the samples that are not over."""
        return list(self._open.values())

    def _require_open(self) -> None:
        if self._file.closed:
            raise OSError("the log is closed")

    def _name_model(self) -> None:
        """Say who answers, as far as it is known; of members with one name the last one counts."""
        told = named(self._start, self._models)
        if told != self._told:
            self._stream.append(START, encode(told))
            self._told = told

    def _write_summaries(self) -> None:
        if self._summaries:
            lines = b"[" + b",".join(self._summaries) + b"]"
            name = f"_journal/summaries/{len(self._places) + 1}.json"
            self._places.append(self._stream.append(name, lines))
            self._summaries.clear()


def member_name(id: str | int, epoch: int) -> str:
    """Return where a sample is in a log."""
    return f"samples/{id}_epoch_{epoch}.json"


def write_end(
    stream: RecordStream,
    start: Mapping[str, Any],
    summaries: Iterable[bytes],
    status: Status,
    error: Mapping[str, Any] | None = None,
    *,
    ended: float | None = None,
) -> None:
    """Write what closes a log; `summaries` are lists of them, as JSON."""
    total, lines = Sum(), list[bytes]()
    for text in summaries:
        for summary in json.loads(text):  # orjson knows no NaN, which Inspect's scores may be
            total.add(summary)
        lines.append(text[1:-1])
    completed = timestamp(time.time() if ended is None else ended)
    end = header(start, total, status=status, ended=completed, error=error)
    stream.append(SUMMARIES, b"[" + b",".join(lines) + b"]")
    stream.append(HEADER, encode(end))
