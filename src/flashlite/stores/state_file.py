"""Small states in one SQLite file, which processes of one machine change in turn."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from . import forks
from .sqlite import Schema, connect, explained, transaction

T = TypeVar("T")
State = dict[str, Any]

_TABLE = "CREATE TABLE states (name TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID"
_SCHEMA = Schema(format=1001, statements=(_TABLE,), example="pool.db")
_PATIENCE_AT_A_FORK = 5.0


class StateFile:
    """JSON objects under names; an object that was never changed is empty.

    The file and its folder are created at the first change. Changes are atomic: a process may be
    killed at any time, and its unfinished change is undone. A power failure may lose the last half
    minute, but never the file. A change waits at most `busy_timeout` seconds for those of other
    processes, and then fails with a `StoreError`. Removing the file removes its contents: all
    processes then go on with a new one.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = 5.0) -> None:
        self.path = Path(path).expanduser().absolute()
        self._busy_timeout = busy_timeout
        self._opened: dict[int, _OpenStates] = {}
        self.name = str(path)

    async def change(self, name: str, change: Callable[[State], T]) -> T:
        """Let a function change a state exclusively; return its result.

        It runs in this file's thread and should be short, because others wait for it.
        """
        own = self._own()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(own.thread, own.change, name, change)

    async def names(self) -> list[str]:
        """Return the names of all states."""
        own = self._own()
        return await asyncio.get_running_loop().run_in_executor(own.thread, own.names)

    async def aclose(self) -> None:
        """Close the file; the next change opens it again."""
        own = self._own()
        await asyncio.get_running_loop().run_in_executor(own.thread, own.end_in_time)

    def _own(self) -> _OpenStates:
        """Return this process's connection: a fork has no threads and must not use a copy."""
        own = self._opened.get(os.getpid())
        if own is None:
            fresh = _OpenStates(self.path, self._busy_timeout)
            own = self._opened.setdefault(os.getpid(), fresh)
        return own


class _OpenStates:
    """One process's connection, and the thread that uses it."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=f"flashlite {path.name}")
        self._path = path
        self._busy_timeout = busy_timeout
        self._lock = threading.Lock()  # held while the connection is used
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # its identity just before it was opened

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def change(self, name: str, change: Callable[[State], T]) -> T:
        import orjson

        with explained(self._path), self._lock:
            connection = self._use()
            with transaction(connection):
                query = "SELECT state FROM states WHERE name = ?"
                found = connection.execute(query, (name,)).fetchone()
                state: State = orjson.loads(found[0]) if found else {}
                answer = change(state)
                connection.execute(
                    "INSERT OR REPLACE INTO states VALUES (?, ?)", (name, orjson.dumps(state))
                )
            return answer

    def names(self) -> list[str]:
        with explained(self._path), self._lock:
            rows = self._use().execute("SELECT name FROM states ORDER BY name").fetchall()
            return [name for (name,) in rows]

    def end_in_time(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is None:  # or one is being opened, which waits for the fork to end
            return
        if self._lock.acquire(timeout=_PATIENCE_AT_A_FORK):
            try:
                self._close()
            finally:
                self._lock.release()

    def _use(self) -> sqlite3.Connection:
        if self._connection is not None and not self._is_there():
            self._close()  # the file was removed, and another process may have created a new one
        if self._connection is None:
            with forks.opening(self):
                self._file = _identity(self._path)  # before opening: it may be replaced
                self._connection = connect(self._path, _SCHEMA, busy_timeout=self._busy_timeout)
        return self._connection

    def _is_there(self) -> bool:
        return self._file is not None and self._file == _identity(self._path)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and the inode of a file, or None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)
