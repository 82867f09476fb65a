"""An open SQLite file: one connection for reads from any thread, and one writing thread."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from ..errors import ConfigError, StoreError
from ..process_end import at_end
from . import forks, tables
from .base import Entry
from .sqlite import connect, explained, store_error
from .tables import Name

log = logging.getLogger("flashlite.stores")

T = TypeVar("T")

_BATCH = 200  # writes per commit; more would hold the interpreter for too long
_FULL = 2_000  # queued writes beyond which each further write is waited for
_COMPANY = 0.02  # seconds that a first write waits for others to share its commit
_READERS_PATIENCE = 0.1  # reads run on an event loop; in WAL mode they never wait long
_PATIENCE_AT_THE_END = 15.0


class Closed(Exception):
    """Raised when the file was closed in the meantime: open it again."""


class _Write(NamedTuple):
    name: Name
    entry: Entry | None  # None deletes
    done: Future[None] | None  # set if the caller waits because the queue is long


class _Job(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    done: Future[Any]


class _End:
    """The last item in the queue."""


class OpenFile:
    """A file while it is open; reopening it makes a new object.

    Reads run in the caller's thread, because they take microseconds. One thread does everything
    else in order, and commits in batches. Uncommitted entries are read from memory.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int | None,
        busy_timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self.opened: Future[None] = _promise()
        self.is_open = False
        self.is_ending = False
        self.pid = os.getpid()
        self._path = path
        self._max_bytes = max_bytes
        self._busy_timeout = busy_timeout
        self._clock = clock
        # The garbage collector may end an unused store at any point, even while this thread holds
        # the lock.
        self._lock = threading.RLock()
        self._hurry = threading.Event()  # set when somebody waits for the writes
        self._queue: SimpleQueue[_Write | _Job | _End] = SimpleQueue()
        self._pending: dict[Name, _Write] = {}
        self._reader: sqlite3.Connection | None = None
        self._closed: Future[None] = _promise()
        self._failure: StoreError | None = None
        self._failures = 0
        self._reported = 0
        _living.add(self)
        at_end(_end_all)
        threading.Thread(target=self._live, name=f"flashlite {path.name}", daemon=True).start()

    def find(self, name: Name) -> Entry | None:
        """Return an entry, valid or not."""
        with self._lock:
            if (write := self._pending.get(name)) is not None:
                return write.entry
            if self._reader is None:
                raise Closed
            try:
                return tables.find(self._reader, name)
            except sqlite3.Error as error:
                raise store_error(self._path, error) from error

    def write(self, name: Name, entry: Entry | None) -> Future[None] | None:
        """Queue a write or deletion; return a future to wait for if the queue is long."""
        done: Future[None] | None = _promise() if self._queue.qsize() >= _FULL else None
        write = _Write(name, entry, done)
        with self._lock:
            self._submit(write)
            self._pending[name] = write
        return done

    def run(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run a job in the writing thread, after all earlier writes."""
        done: Future[T] = _promise()
        with self._lock:
            self._submit(_Job(job, done))
        self._hurry.set()
        return done

    async def flush(self) -> None:
        """Return when all writes are committed; raise StoreError if one failed."""
        reported = self._reported  # read now, so that two concurrent flushes both raise
        try:
            committed = self.run(lambda _: None)
        except Closed:
            committed = self._closed
        await asyncio.wrap_future(committed)
        self._raise_failure(since=reported)

    def end(self) -> None:
        """Close the file once everything is written."""
        with self._lock:
            if not self.is_ending:
                self.is_ending = True
                self._queue.put(_End())
                self._hurry.set()

    async def aclose(self) -> None:
        """Close the file; raise StoreError if a write failed."""
        reported = self._reported
        self.end()
        await self.until_closed()
        self._raise_failure(since=reported)

    async def until_closed(self) -> None:
        """Return when the file is closed."""
        await asyncio.wrap_future(self._closed)

    def end_in_time(self) -> None:
        """Close the file before the process ends or forks, and wait for that, but not forever."""
        if self.pid == os.getpid():
            self.end()
            with suppress(TimeoutError):
                self._closed.result(_PATIENCE_AT_THE_END)

    def _submit(self, task: _Write | _Job) -> None:
        if self.is_ending:
            raise Closed
        self._queue.put(task)

    def _raise_failure(self, *, since: int) -> None:
        if self._failure is not None and self._failures > since:
            self._reported = self._failures
            raise self._failure

    # Everything below runs in the writing thread.

    def _live(self) -> None:
        try:
            with ExitStack() as stack:
                connection = self._open(stack)
                if connection is not None:
                    self._serve(connection)
        finally:
            self._leave()

    def _open(self, stack: ExitStack) -> sqlite3.Connection | None:
        try:
            with forks.opening(self):
                writer = self._connect(stack)
        except (ConfigError, StoreError) as error:
            self.is_ending = True
            self.opened.set_exception(error)
            return None
        self.is_open = True
        self.opened.set_result(None)
        return writer

    def _connect(self, stack: ExitStack) -> sqlite3.Connection:
        writer = connect(self._path, tables.SCHEMA, busy_timeout=self._busy_timeout)
        stack.enter_context(closing(writer))
        self._reader = connect(self._path, tables.SCHEMA, busy_timeout=_READERS_PATIENCE)
        stack.callback(self._close_reader)
        return writer

    def _close_reader(self) -> None:
        with self._lock:
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.close()

    def _serve(self, connection: sqlite3.Connection) -> None:
        while True:
            writes, task = self._take()
            if writes:
                self._write(connection, writes)
            if isinstance(task, _Job):
                self._do(connection, task)
            elif isinstance(task, _End):
                return

    def _take(self) -> tuple[list[_Write], _Job | _End | None]:
        """Wait for a task; return the queued writes up to the next job.

        A first write waits briefly for others: each commit invalidates the readers' page cache, and
        filling it is most of the cost of a read.
        """
        writes: list[_Write] = []
        task = self._queue.get()
        if isinstance(task, _Write) and self._queue.qsize() < _BATCH:
            self._hurry.wait(_COMPANY)
            self._hurry.clear()
        while isinstance(task, _Write):
            writes.append(task)
            try:
                if len(writes) == _BATCH:
                    return writes, None
                task = self._queue.get_nowait()
            except Empty:
                return writes, None
        return writes, task

    def _write(self, connection: sqlite3.Connection, writes: list[_Write]) -> None:
        try:
            with explained(self._path):
                tables.write(
                    connection,
                    ((write.name, write.entry) for write in writes),
                    now=self._clock(),
                    max_bytes=self._max_bytes,
                )
        except StoreError as error:
            self._note_failure(error, len(writes))
        finally:
            self._settle(writes)

    def _note_failure(self, error: StoreError, count: int) -> None:
        if not self._failures:
            log.warning("%d answers could not be stored (said once): %s", count, error)
        self._failure = error
        self._failures += count

    def _settle(self, writes: list[_Write]) -> None:
        """Drop writes that are committed or failed; a failed one becomes a miss."""
        with self._lock:
            for write in writes:
                if self._pending.get(write.name) is write:
                    del self._pending[write.name]
        for write in writes:
            if write.done is not None:
                write.done.set_result(None)

    def _do(self, connection: sqlite3.Connection, job: _Job) -> None:
        try:
            with explained(self._path):
                job.done.set_result(job.run(connection))
        except StoreError as error:
            job.done.set_exception(error)
        finally:
            self._refuse(job.done)

    def _leave(self) -> None:
        """Leave nobody waiting forever, whatever ended the thread."""
        with self._lock:
            self.is_ending = True
            self._pending.clear()
        with suppress(Empty):
            while True:
                task = self._queue.get_nowait()
                if not isinstance(task, _End) and task.done is not None:
                    self._refuse(task.done)
        self._refuse(self.opened)
        _living.discard(self)
        self._closed.set_result(None)

    def _refuse(self, promise: Future[Any]) -> None:
        if not promise.done():
            promise.set_exception(StoreError(f"{self._path}: closed unexpectedly"))


def _promise() -> Future[Any]:
    """Return a future that a cancelled waiter cannot cancel for the others."""
    promise: Future[Any] = Future()
    promise.set_running_or_notify_cancel()
    return promise


_living: set[OpenFile] = set()


def _end_all() -> None:
    for file in list(_living):
        file.end_in_time()
