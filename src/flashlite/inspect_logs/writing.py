"""The writer of one process for a logger: its file is created with the first sample."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..errors import StoreError
from ..process_end import at_end
from .ended import Backlog, Ended
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
    """A file and the thread that publishes it; any thread of its process may call it.

    `report` receives the thread's errors. An OSError means that something could not be written so
    far; a StoreError, when the log is closed, that something is missing from the log.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        *,
        format: Format,
        live: bool,
        interval: float,
        report: Callable[[Exception], None],
    ) -> None:
        self.keys, self.pid = Keys(), os.getpid()
        self.ended = 0
        """The number of samples that are over, written or not."""
        self._paths, self._run = Paths(folder, run.file_name), run
        self._format, self._live, self._interval = format, live, interval
        self._report = report
        self._lock = threading.RLock()
        self._file: LogFile | None = None
        self._publisher: Publisher | None = None
        self._running: dict[str, Sample] = {}
        self._backlog = Backlog()
        self._ending: tuple[BaseException | None, Status] | None = None
        self._is_closed = False
        at_end(_close_all)
        _living.add(self)

    @property
    def path(self) -> Path:
        """The path of the finished log."""
        is_json = self._format == "json"
        return self._paths.log.with_suffix(".json") if is_json else self._paths.log

    @property
    def log_path(self) -> Path | None:
        """The path of the log as it is now, None while there is none."""
        return next(filter(os.path.exists, (self.path, self._paths.log)), None)

    def follow(self, sample: Sample) -> None:
        """Write down and show what a sample gains, until it is over."""
        self._require_open()
        self._running[sample.uuid] = sample
        self._open_file().follow(sample)

    def forget(self, sample: Sample) -> None:
        """Stop following a sample that never began."""
        self._running.pop(sample.uuid, None)

    def note(self, sample: Sample) -> None:
        """Write down what a running sample gained."""
        if self._file is not None and sample.uuid in self._running:
            self._file.note(sample)
            self._wake()

    def write(self, ended: Ended) -> None:
        """Write a sample that is over; if that fails, it waits until another can be written."""
        with self._lock:
            self._require_open()
            self.ended += 1
            try:
                self._open_file().add(ended)
            except (OSError, OverflowError) as error:
                self._backlog.keep(ended, error)
                if self._file is not None:
                    self._file.let_go(ended)
                raise
            finally:
                self._running.pop(ended.uuid, None)
            with suppress(OSError):  # they wait on
                self._catch_up()
        self._wake()

    def publish(self) -> None:
        """Show what is there so far."""
        if self._is_closed:
            return
        try:
            self._catch_up()
        finally:
            if self._file is not None:
                self._file.publish(self._running, live=self._live)

    def close(self, error: BaseException | None = None) -> None:
        """Finish the log; `error` is what ended the run. Running samples end here.

        Raises StoreError if something is missing from the log. A log that could not be finished may
        be closed again; the status of the first try stays.
        """
        _living.discard(self)
        if self._is_closed:
            return
        if self._publisher is not None:
            self._publisher.end()
        if self._ending is None:
            self._ending = error, _status(error, interrupted=self._end_running(error))
        with suppress(OSError):  # samples that still wait are lost
            self._in_any_room(self._catch_up_at_last)
        loss = self._backlog.loss()
        if self._file is not None:
            self._finish(self._file, *self._ending, loss)
        elif loss is None:
            self._is_closed = True
        if loss is not None:
            raise loss

    def _require_open(self) -> None:
        if self._is_closed:
            raise OSError("the log is closed")

    def _open_file(self) -> LogFile:
        """Return the file; raises OSError if it cannot be created."""
        with self._lock:
            if self._file is None:
                self._file = LogFile(self._paths, self._run)
                for sample in list(self._running.values()):  # they began before the file
                    self._file.follow(sample)
                self._publisher = Publisher(
                    lambda: self._safely(self.publish),
                    lambda: self._safely(lambda: recover(self._paths.folder)),
                    interval=self._interval,
                )
            return self._file

    def _catch_up(self) -> None:
        """Write the samples that wait, until one fails."""
        with self._lock:
            self._backlog.write(lambda ended: self._open_file().add(ended))

    def _catch_up_at_last(self) -> None:
        """Write all waiting samples that can be written."""
        with self._lock:
            self._backlog.write(lambda ended: self._open_file().add_last(ended), give_up=False)

    def _wake(self) -> None:
        """Wake the thread: there is something to show."""
        if self._publisher is not None:
            self._publisher.wake()

    def _end_running(self, error: BaseException | None) -> bool:
        """End the running samples; return whether any of them was interrupted."""
        running = list(self._running.values())
        interrupted = [sample for sample in running if not sample.is_open_ended]
        for sample in running:
            if error is not None or sample in interrupted:
                sample.error(error or RuntimeError("the log was closed before this sample ended"))
            with suppress(StoreError):  # it waits, and is counted if it is lost
                sample.end()
        return bool(interrupted)

    def _finish(
        self, file: LogFile, error: BaseException | None, status: Status, loss: StoreError | None
    ) -> None:
        told, lost = _end_error(error, loss), len(self._backlog)
        try:
            self._in_any_room(lambda: file.finish("error" if loss else status, told, lost=lost))
        except OSError as failure:
            what = f"{self._backlog} and its end" if lost else "its end"
            raise StoreError(
                f"{what} could not be written: {failure}; close it again when it can be, or have "
                "what is there recovered, with `flashlite logs recover`"
            ) from failure
        self._is_closed = True
        self._write_json()

    def _write_json(self) -> None:
        try:
            if self._format != "eval":
                write_json(self._paths.log)
            if self._format == "json":
                self._paths.log.unlink()
        except OSError as failure:
            raise StoreError(f"it is {self._paths.log}, and no .json: {failure}") from failure

    def _in_any_room(self, act: Callable[[], None]) -> None:
        """Call `act`; if the disk is full, free our own copies and call it again."""
        try:
            act()
        except OSError as error:
            if self._file is None or error.errno not in _FULL:
                raise
            self._file.make_room()
            act()

    def close_at_exit(self, error: BaseException | None) -> None:
        """Close the log when the process ends, except in a fork."""
        if self.pid == os.getpid():
            self._safely(lambda: self.close(error))

    def _safely(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except (OSError, StoreError) as error:
            self._report(error)


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _end_error(error: BaseException | None, loss: StoreError | None) -> dict[str, Any] | None:
    """Return the error that a log ended with, in Inspect's form."""
    if error is None:
        return to_error(loss) if loss is not None else None
    spelled = to_error(error)
    return spelled | ({"message": f"{spelled['message']} ({loss})"} if loss is not None else {})


def _status(error: BaseException | None, *, interrupted: bool) -> Status:
    if error is not None:
        return "error" if isinstance(error, Exception) else "cancelled"
    return "cancelled" if interrupted else "success"


_living: set[Writing] = set()


def _close_all() -> None:
    """Close all open logs, with the exception that ends the process, if one does."""
    is_interactive = hasattr(sys, "ps1")  # there, an exception does not end the process
    error = None if is_interactive else getattr(sys, "last_value", None)
    for writing in list(_living):
        writing.close_at_exit(error)
