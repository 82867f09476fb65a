"""One log while it is written: the files of one run in one process."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from ..types.moments import timestamp
from .ended import Ended
from .files import Paths, hold
from .header import Run, Status, Sum, header, named
from .journal import Journal
from .live import Live
from .plain import encode
from .record_stream import RecordStream
from .samples import Sample
from .scores import Results
from .snapshot import draft_of, finish, publish

START, HEADER, SUMMARIES = "_journal/start.json", "header.json", "summaries.json"
_MOST_SUMMARIES = 500  # in memory
_REST_OF_THE_END = 1 << 14  # bytes, beside the summaries and the directory, which grow


class LogFile:
    """Writes samples to a growing file, and shows what is there so far as a log.

    A sample is safe when `add` returns. `publish` writes the log that others see, `finish` its
    final version. Everything may be called from any thread.
    """

    def __init__(self, paths: Paths, run: Run) -> None:
        self.paths = paths
        self._start = self._told = run.start()
        self._file: BinaryIO = hold(paths.part)
        self._stream = RecordStream(self._file)
        self._journal = Journal(paths.journal)
        self._live = Live(paths.live)
        self._lock, self._publishing = threading.RLock(), threading.Lock()
        self._summaries: list[bytes] = []
        self._places: list[int] = []  # where the records with summaries begin
        self._size_of_summaries = 0
        self._models: set[str] = set()
        self._shown = 0  # bytes of the stream that are in the log which others see
        try:
            self._stream.append(START, encode(self._start))
        except OSError:
            self.discard()
            raise

    def follow(self, sample: Sample) -> None:
        """Write down what a sample gains, until it is added."""
        self._journal.begin(sample)

    def note(self, sample: Sample) -> None:
        """Write down what a sample gained, if it is followed."""
        with sample.lock:
            self._journal.note(sample)

    def let_go(self, ended: Ended) -> None:
        """Stop following a sample that is over but not added; its journal lines stay."""
        self._journal.let_go(ended.uuid)

    def add(self, ended: Ended) -> None:
        """Write a sample that is over."""
        with self._lock:
            self._require_open()
            self._stream.append(ended.name, ended.document)
            self._summaries.append(ended.summary)
            self._size_of_summaries += len(ended.summary)
            self._models.update(ended.models)
            if len(self._summaries) >= _MOST_SUMMARIES:
                with suppress(OSError):  # the sample is safe; this comes with the next
                    self._write_summaries()
        self._journal.end(ended.uuid)

    def add_last(self, ended: Ended) -> None:
        """Write a sample, unless too little room would be left for the end of the log."""
        end = self._stream.size_of_directory + self._size_of_summaries + _REST_OF_THE_END
        disk = os.fstatvfs(self._file.fileno())
        if disk.f_blocks and disk.f_bavail * disk.f_frsize < end + ended.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.add(ended)

    def publish(self, running: Mapping[str, Sample], *, live: bool) -> None:
        """Show what is there so far: finished samples in the log, running ones beside it."""
        with self._publishing:
            with self._lock:
                self._require_open()
                self._write_summaries()
                self._name_model()
                size, directory = self._stream.size, self._stream.directory()
                shown = list(running.values())
            if size != self._shown or not self.paths.log.exists():
                publish(self._stream, size, directory, self.paths.log)
                self._shown = size
            if live:
                self._live.show(shown)

    def finish(
        self,
        status: Status,
        error: Mapping[str, Any] | None = None,
        *,
        ended: float | None = None,
        lost: int = 0,
    ) -> None:
        """Write the totals and close the log; `ended` is in Unix seconds, by default now.

        `lost` samples are in no file, but are counted. If this fails, it may be called again.
        """
        with self._publishing, self._lock:
            self._write_summaries()
            summaries = map(self._stream.read, self._places)
            write_end(self._stream, self._start, summaries, status, error, ended=ended, lost=lost)
            finish(self._stream, self.paths.part, self.paths.log)
            self._file.close()
        self._journal.remove()
        self._live.remove()

    def discard(self) -> None:
        """Remove all files of a log that is not finished."""
        if not self._file.closed:
            self._file.close()
            self.paths.part.unlink(missing_ok=True)
            self._journal.remove()
            self._live.remove()

    def make_room(self) -> None:
        """Free disk space: remove files whose content is also in the record stream or in memory."""
        with self._publishing:
            for copy in (self.paths.log, draft_of(self.paths.log)):
                copy.unlink(missing_ok=True)
            self._shown = 0
            self._live.remove()
        self._journal.remove()

    def _require_open(self) -> None:
        if self._file.closed:
            raise OSError("the log is closed")

    def _name_model(self) -> None:
        """Name the model once it is known; of members with the same name, the last one counts."""
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


def write_end(
    stream: RecordStream,
    start: Mapping[str, Any],
    summaries: Iterable[bytes],
    status: Status,
    error: Mapping[str, Any] | None = None,
    *,
    ended: float | None = None,
    lost: int = 0,
) -> None:
    """Write the end of a log; `summaries` are JSON lists of summaries."""
    total, lines = Sum(Results(lost=lost)), list[bytes]()
    for text in summaries:
        for summary in json.loads(text):  # not orjson: Inspect's scores may be NaN
            total.add(summary)
        lines.append(text[1:-1])
    completed = timestamp(time.time() if ended is None else ended)
    end = header(start, total, status=status, ended=completed, error=error)
    stream.append(SUMMARIES, b"[" + b",".join(lines) + b"]")
    stream.append(HEADER, encode(end))
