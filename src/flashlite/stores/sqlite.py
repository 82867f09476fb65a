"""Opening and changing SQLite files that processes share, and explaining their errors."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, StoreError

_FORMATS = 1000  # numbers per kind of file
_KEPT_WAL_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The tables of a kind of file, and the number in its `user_version` once they exist.

    The thousands of the number identify the kind.
    """

    format: int
    statements: tuple[str, ...]
    example: str  # an example name for such a file


def connect(path: Path, schema: Schema, *, busy_timeout: float) -> sqlite3.Connection:
    """Open a file; create it and its folder if new, refuse it if it is another program's.

    A commit survives the death of the process; a power failure may lose the last ones.
    """
    _prepare_folder(path, schema)
    with explained(path), ExitStack() as stack:
        connection = sqlite3.connect(
            path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
        )
        stack.enter_context(closing(connection))
        is_made = _is_ours(connection, path, schema)
        _use_wal(connection, patience=busy_timeout)
        if not is_made:
            _make(connection, path, schema)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_KEPT_WAL_BYTES}")
        stack.pop_all()
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the body as one exclusive transaction: completely or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreErrors, with the path and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(path, error) from error


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """Return the StoreError for an error of SQLite."""
    return StoreError(f"{path}: {error}{_advice(error)}")


def _prepare_folder(path: Path, schema: Schema) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_folder = path.is_dir()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    if is_folder:
        example = path / schema.example
        raise ConfigError(f"{path} is a folder: name a file in it, like {example}")


def _is_ours(connection: sqlite3.Connection, path: Path, schema: Schema) -> bool:
    """Return whether the tables exist; False for a new file."""
    # The order matters: tables and version are created together, perhaps between the two queries.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == schema.format:
        return True
    if schema.format < version < (schema.format // _FORMATS + 1) * _FORMATS:
        raise ConfigError(
            f"{path} was written by a newer flashlite (format {version}, this one knows "
            f"{schema.format}): upgrade flashlite or choose another path"
        )
    if version or tables:
        raise ConfigError(f"{path} is the database of something else: choose another path")
    return False


def _make(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    with transaction(connection):
        if not _is_ours(connection, path, schema):  # another process may have been faster
            for statement in schema.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {schema.format}")


def _use_wal(connection: sqlite3.Connection, *, patience: float) -> None:
    """Set WAL mode, in which readers and writers do not wait for one another."""
    end = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # If two processes create the same file, SQLite does not wait here, whatever its
            # timeout.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


def _advice(error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return ": move the file away or choose another path (nothing was deleted)"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return ": another program holds the file"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
            return ": the file and its folder must be writable"
        case _:
            return ""
