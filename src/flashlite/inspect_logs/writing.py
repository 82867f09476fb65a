"""What one process writes for a logger: its own file, made with the first sample."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..process_end import at_end
from .files import Paths
from .header import Run, Status
from .keys import Keys
from .log_file import LogFile
from .model_events import to_error
from .publisher import Publisher
from .reading import write_json
from .recovery import recover
from .samples import Sample

Format: TypeAlias = Literal["eval", "json", "both"]


class Writing:
    """A file and the thread that shows it; any thread of its process may call it.

    `report` is told what the thread could not do.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        *,
        format: Format,
        live: bool,
        interval: float,
        report: Callable[[OSError], None],
    ) -> None:
        self.keys, self.pid = Keys(), os.getpid()
        self._paths, self._run = Paths(folder, run.file_name), run
        self._format, self._live, self._interval = format, live, interval
        self._report = report
        self._lock = threading.RLock()
        self._file: LogFile | None = None
        self._publisher: Publisher | None = None
        self._is_closed = False
        at_end(_close_all)
        _living.add(self)

    @property
    def path(self) -> Path:
        """Where the log is when it is finished."""
        is_json = self._format == "json"
        return self._paths.log.with_suffix(".json") if is_json else self._paths.log

    @property
    def log_path(self) -> Path | None:
        """Where the log is now, None before there is one."""
        if self._file is None:
            return None
        return self.path if self._is_closed else self._paths.log

    def file(self) -> LogFile:
        """Return the file; raises OSError where none can be made."""
        with self._lock:
            if self._is_closed:
                raise OSError("the log is closed")
            if self._file is None:
                self._file = LogFile(self._paths, self._run)
                self._publisher = Publisher(
                    lambda: self._safely(self.publish),
                    lambda: self._safely(lambda: recover(self._paths.folder)),
                    interval=self._interval,
                )
            return self._file

    def wake(self) -> None:
        """Say that there is something to show."""
        if self._publisher is not None:
            self._publisher.wake()

    def publish(self) -> None:
        """Show what is there so far."""
        if self._file is not None and not self._is_closed:
            self._file.publish(live=self._live)

    def note(self, sample: Sample) -> None:
        """Keep what a running sample gained."""
        if self._file is not None and self._file.note(sample):
            self.wake()

    def close(self, error: BaseException | None = None) -> None:
        """Finish the log, with what ended the run; running samples end here."""
        _living.discard(self)
        if self._file is None or self._is_closed:
            return
        if self._publisher is not None:
            self._publisher.end()
        running = self._file.running()
        interrupted = [sample for sample in running if not sample.is_open_ended]
        for sample in running:
            if error is not None or sample in interrupted:
                sample.error(error or RuntimeError("the log was closed before this sample ended"))
            sample.end()
        self._is_closed = True
        status = _status(error, interrupted=bool(interrupted))
        self._file.finish(status, to_error(error) if error is not None else None)
        if self._format != "eval":
            write_json(self._paths.log)
        if self._format == "json":
            self._paths.log.unlink()

    def close_at_exit(self, error: BaseException | None) -> None:
        """Close what was forgotten."""
        if self.pid == os.getpid():
            self._safely(lambda: self.close(error))

    def _safely(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError as error:
            self._report(error)


def _status(error: BaseException | None, *, interrupted: bool) -> Status:
    if error is not None:
        return "error" if isinstance(error, Exception) else "cancelled"
    return "cancelled" if interrupted else "success"


_living: set[Writing] = set()


def _close_all() -> None:
    """Close what is open, with the exception that ends the process, if one does."""
    is_interactive = hasattr(sys, "ps1")  # there an exception ends nothing
    error = None if is_interactive else getattr(sys, "last_value", None)
    for writing in list(_living):
        writing.close_at_exit(error)
