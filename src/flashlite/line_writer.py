"""A file that grows line by line, written in a thread and by any number of processes."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeAlias

from .process_end import at_end

log = logging.getLogger("flashlite.line_writer")

_FULL = 10_000  # lines in the queue; `room` waits if there are more
_BATCH = 1_000_000  # bytes in one write, give or take a line
_COMPANY = 0.02  # seconds that a first line waits, to be written together with others
_PATIENCE_AT_THE_END = 15.0  # seconds
_LOOKS, _BETWEEN_LOOKS = 3, 0.01  # at the end of a file, in seconds apart


class LineWriter:
    """Append lines to a file, in the order in which they come.

    The first line creates the file and its folders. A thread writes; several lines may go in one
    write, but a line is never split over two, and writes append, so processes may share a local
    file. If the file cannot be written, one warning is logged and the lines are lost. Everything is
    written before the process ends, unless it is killed. A forked child has its own thread.
    """

    _thread: _Thread | None = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        at_end(_end_all)
        self._file = _File(Path(path).expanduser().absolute())
        self._locks: dict[int, threading.RLock] = {}

    def __del__(self) -> None:
        thread = self._own_thread()
        if thread is not None:
            thread.end()

    def write(self, line: bytes) -> None:
        """Queue a line, given without its line feed, to be written soon; this does not wait."""
        thread = self._own_thread() or self._begin()
        if not thread.put(line + b"\n"):
            thread.end_in_time()  # the process is ending, so no new thread starts
            self._file.append(line + b"\n")

    async def room(self) -> None:
        """Wait, if too many lines are queued, until they are written."""
        thread = self._thread
        if thread is not None and thread.is_full:
            await self.aflush()

    def flush(self) -> None:
        """Wait until every line is written, or lost if it cannot be."""
        thread = self._own_thread()
        if thread is not None and (written := thread.mark()) is not None:
            written.result()

    async def aflush(self) -> None:
        """Do what `flush` does without blocking the loop."""
        thread = self._own_thread()
        if thread is not None and (written := thread.mark()) is not None:
            await asyncio.wrap_future(written)

    def close(self) -> None:
        """Flush and close the file; the next line opens it again."""
        thread = self._own_thread()
        if thread is not None and (written := thread.mark(closing=True)) is not None:
            written.result()

    def _own_thread(self) -> _Thread | None:
        """Return the thread of this process; one inherited over a fork does not count."""
        thread = self._thread
        return thread if thread is not None and thread.pid == os.getpid() else None

    def _begin(self) -> _Thread:
        # One lock per process: a fork may copy a held lock, but not the thread that holds it.
        with self._locks.setdefault(os.getpid(), threading.RLock()):
            thread = self._own_thread()
            if thread is None:
                thread = self._thread = _Thread(self._file)
            return thread


class _Mark(Future[None]):
    """A place in the queue; done when everything before it is written."""

    def __init__(self, *, closing: bool) -> None:
        super().__init__()
        self.closing = closing
        self.set_running_or_notify_cancel()  # a waiter that is cancelled does not cancel it


class _End:
    """The last item in the queue."""


_Item: TypeAlias = bytes | _Mark | _End


class _Thread:
    """A thread that takes lines out of a queue and writes them."""

    def __init__(self, file: _File) -> None:
        self.pid = os.getpid()
        self._file = file
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        # Reentrant: garbage collection may end a dropped writer while this thread holds the lock.
        self._lock = threading.RLock()
        self._is_ending = False
        self._hurry = threading.Event()  # set when a caller waits for the queue to be written
        name = f"flashlite {file.name}"
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        at_end(_end_all)
        _living[id(self)] = self
        if not self._starts():
            self._leave()

    @property
    def is_full(self) -> bool:
        return self._queue.qsize() > _FULL

    def put(self, item: _Item) -> bool:
        """Queue an item; return False if the thread is ending and takes no more."""
        with self._lock:
            if not self._is_ending:
                self._queue.put(item)
                if not isinstance(item, bytes):
                    self._hurry.set()
            return not self._is_ending

    def mark(self, *, closing: bool = False) -> _Mark | None:
        """Return a future that is done when everything queued so far is written."""
        mark = _Mark(closing=closing)
        return mark if self.put(mark) else None

    def end(self) -> None:
        """Write what is queued, then end."""
        with self._lock:
            self.put(_End())
            self._is_ending = True

    def end_in_time(self) -> None:
        """End the thread before the process ends, waiting at most `_PATIENCE_AT_THE_END`."""
        if self.pid == os.getpid():
            self.end()
            # The garbage collector may call this in the thread itself, which cannot join itself.
            if self._thread.is_alive() and self._thread is not threading.current_thread():
                self._thread.join(_PATIENCE_AT_THE_END)

    def _starts(self) -> bool:
        if _end.is_set():
            return False
        try:
            self._thread.start()
        except RuntimeError:  # too many threads, or the interpreter is ending
            return False
        return True

    # From here on everything runs in the thread.

    def _live(self) -> None:
        try:
            while not isinstance(last := self._write_batch(), _End):
                if last is not None:
                    self._reach(last)
        finally:
            self._file.close()
            self._leave()

    def _write_batch(self) -> _Mark | _End | None:
        """Wait for lines and write them together; return the mark or end that follows, if any.

        A first line waits a moment for others, because waking for each one costs the event loop
        more than writing it does.
        """
        lines: list[bytes] = []
        size = 0
        item: _Item | None = self._queue.get()
        if isinstance(item, bytes):
            self._hurry.wait(_COMPANY)
            self._hurry.clear()
        with suppress(Empty):
            while isinstance(item, bytes):
                lines.append(item)
                size += len(item)
                item = None if size >= _BATCH else self._queue.get_nowait()
        if lines:
            self._file.append(b"".join(lines))
        return None if isinstance(item, bytes) else item

    def _reach(self, mark: _Mark) -> None:
        if mark.closing:
            self._file.close()
        mark.set_result(None)

    def _leave(self) -> None:
        """Release everyone who waits, whatever ended the thread."""
        with self._lock:
            self._is_ending = True
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if isinstance(item, _Mark):  # pragma: no cover - the thread ended unexpectedly
                    item.set_result(None)
        _living.pop(id(self), None)


class _File:
    """The end of a file; one thread at a time appends to it."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._descriptor: int | None = None
        self._is_torn = False
        self._is_reported = False

    def append(self, lines: bytes) -> None:
        """Write whole lines; if that fails, log a warning the first time."""
        try:
            self._write(self._open(), lines)
        except (OSError, ValueError) as error:  # ValueError: an impossible path
            if not self._is_reported:
                self._is_reported = True
                log.warning("lines are lost (said once): %s: %s", self._path, error)

    def close(self) -> None:
        """Close the file until the next line."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._is_torn = _ends_torn(self._path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self._path, flags, 0o666)
        return self._descriptor

    def _write(self, descriptor: int, lines: bytes) -> None:
        left = memoryview(b"\n" + lines if self._is_torn else lines)
        while left:
            written = os.write(descriptor, left)
            left = left[written:]
            self._is_torn = len(left) > 0


def _ends_torn(path: Path) -> bool:
    """Return whether the last line was cut off, by a kill or a full disk.

    Another process may be in the middle of a write, so a file is looked at more than once.
    """
    for _ in range(_LOOKS):
        if not _ends_inside_a_line(path):
            return False
        time.sleep(_BETWEEN_LOOKS)
    return True


def _ends_inside_a_line(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read()[-1:] != b"\n"


_living: dict[int, _Thread] = {}
_end = threading.Event()  # set when this process begins to end


def _end_all() -> None:
    _end.set()
    for thread in list(_living.values()):
        thread.end_in_time()
