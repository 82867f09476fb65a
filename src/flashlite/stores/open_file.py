"""An open SQLite file: one connection to read from any thread, and one thread that writes."""

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

_BATCH = 200  # writes in one commit; more at once would hold the interpreter for too long
_FULL = 2_000  # writes in the queue, from which on each further one is waited for
_COMPANY = 0.02  # seconds that a first write waits for others to be committed with
_READERS_PATIENCE = 0.1  # reads happen on an event loop; in WAL mode nothing makes them wait long
_PATIENCE_AT_THE_END = 15.0


class Closed(Exception):
    """Somebody closed the file meanwhile: open it again."""


class _Write(NamedTuple):
    name: Name
    entry: Entry | None  # None deletes
    done: Future[None] | None  # waited for because the queue is long


class _Job(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    done: Future[Any]


class _End:
    """What comes last in the queue."""


class OpenFile:
    """A file from its opening to its closing; opened again, it is another object.

    Reads happen in the caller's thread, because they take microseconds. Everything else is done in
    order by one thread, which commits together what has come together. What is not committed yet
    is read from memory.
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
        # The collector may end a forgotten store anywhere, also where this thread holds the lock.
        self._lock = threading.RLock()
        self._hurry = threading.Event()  # somebody waits for what is written
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
        """Write or delete an entry soon; return what to wait for where the queue is long."""
        done: Future[None] | None = _promise() if self._queue.qsize() >= _FULL else None
        write = _Write(name, entry, done)
        with self._lock:
            self._submit(write)
            self._pending[name] = write
        return done

    def run(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Do something in the writing thread, after all that was written before."""
        done: Future[T] = _promise()
        with self._lock:
            self._submit(_Job(job, done))
        self._hurry.set()
        return done

    async def flush(self) -> None:
        """Return when all that was written is committed; raise if something could not be."""
        reported = self._reported  # by now; of two flushes at once both raise
        try:
            committed = self.run(lambda _: None)
        except Closed:
            committed = self._closed
        await asyncio.wrap_future(committed)
        self._raise_failure(since=reported)

    def end(self) -> None:
        """Close the file when everything is written."""
        with self._lock:
            if not self.is_ending:
                self.is_ending = True
                self._queue.put(_End())
                self._hurry.set()

    async def aclose(self) -> None:
        """Close the file; raise if something could not be written."""
        reported = self._reported
        self.end()
        await self.until_closed()
        self._raise_failure(since=reported)

    async def until_closed(self) -> None:
        """Return when the file is closed."""
        await asyncio.wrap_future(self._closed)

    def end_in_time(self) -> None:
        """Close the file before the process ends or forks: wait for it, but not for ever."""
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

    # From here on everything runs in the writing thread.

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
        """Wait for something to do; take the writes that are there, up to the next job.

        A first write waits a moment for others: a commit costs the readers what they have in mind
        of the file, and that is most of what a read costs.
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
        """Forget what is committed, or has failed: it is to be asked for again."""
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
        """Let nobody wait for ever, whatever ended the thread."""
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
    """Return a future that a cancelled waiter does not cancel for the others."""
    promise: Future[Any] = Future()
    promise.set_running_or_notify_cancel()
    return promise


_living: set[OpenFile] = set()


def _end_all() -> None:
    for file in list(_living):
        file.end_in_time()
