"""The SQLite file: its tables, and every statement that is made to it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError, StoreError
from .base import Entry, StoreStats

FORMAT = 1  # of the tables; it is kept in the file as `user_version`

# A new row has the highest id, so that the lowest are those written longest ago.
_SCHEMA = (
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        key TEXT NOT NULL,
        created REAL NOT NULL,
        expires REAL,
        size INTEGER NOT NULL,
        request BLOB NOT NULL,
        response BLOB NOT NULL,
        UNIQUE (collection, key)
    )""",
    # Counting reads this index only, not the answers.
    "CREATE INDEX newest ON entries (collection, created, expires, size)",
    "CREATE INDEX expiring ON entries (expires) WHERE expires IS NOT NULL",
    f"PRAGMA user_version = {FORMAT}",
)

_SWEPT_AT_ONCE = 500
_KEPT_WAL_BYTES = 16 * 2**20
_COLUMNS = "key, request, response, created, expires"
_VALID = "(expires IS NULL OR expires > :now)"

Name = tuple[str, str]  # collection, key


class Page(NamedTuple):
    """Some entries, and where the next ones begin (None: these were the last)."""

    entries: list[Entry]
    next: tuple[float, int] | None


def connect(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
    """Open a file; make the tables if it is new, refuse it if it is somebody else's."""
    with explained(path), ExitStack() as stack:
        connection = sqlite3.connect(
            path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
        )
        stack.enter_context(closing(connection))
        is_made = _is_ours(connection, path)
        _use_wal(connection, patience=busy_timeout)
        if not is_made:
            _make(connection, path)
        # A commit survives the death of the process; a cut of the power may take the last ones.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_KEPT_WAL_BYTES}")
        stack.pop_all()
        return connection


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there; False for a new file."""
    # In this order: tables and version come together, maybe between these two questions.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == FORMAT:
        return True
    if version > FORMAT:
        raise ConfigError(
            f"{path} was written by a newer flashlite (format {version}, this one knows {FORMAT}): "
            "upgrade flashlite or choose another path"
        )
    if version or tables:
        raise ConfigError(f"{path} is another program's database: choose another path")
    return False


def _make(connection: sqlite3.Connection, path: Path) -> None:
    with _transaction(connection):
        if not _is_ours(connection, path):  # another process may have been faster
            for statement in _SCHEMA:
                connection.execute(statement)


def _use_wal(connection: sqlite3.Connection, *, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Two processes make the same file: SQLite does not wait here, whatever its timeout.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


def find(connection: sqlite3.Connection, name: Name) -> Entry | None:
    """Return an entry, valid or not."""
    query = f"SELECT {_COLUMNS} FROM entries WHERE collection = ? AND key = ?"
    for row in connection.execute(query, name).fetchall():
        return _entry(row)
    return None


def write(
    connection: sqlite3.Connection,
    changes: Iterable[tuple[Name, Entry | None]],
    *,
    now: float,
    max_bytes: int | None,
) -> None:
    """Put entries and, where there is None, delete them, all in one transaction.

    Some expired entries go on the way, and the oldest if the file is larger than `max_bytes`.
    """
    last = dict(changes)
    with _transaction(connection):
        connection.executemany(
            "DELETE FROM entries WHERE collection = ? AND key = ?",
            [name for name, entry in last.items() if entry is None],
        )
        connection.executemany(
            "INSERT OR REPLACE INTO entries"
            " (collection, key, created, expires, size, request, response)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [_row(name, entry) for name, entry in last.items() if entry is not None],
        )
        _sweep(connection, now=now, limit=_SWEPT_AT_ONCE)
        if max_bytes is not None and _bytes_used(connection) > max_bytes:
            _drop_oldest(connection, down_to=max_bytes * 9 // 10)


def _sweep(connection: sqlite3.Connection, *, now: float, limit: int) -> None:
    connection.execute(
        "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires <= ? LIMIT ?)",
        (now, limit),
    )


def _bytes_used(connection: sqlite3.Connection) -> int:
    """Return the size of the file's pages that hold something, whichever process wrote them."""
    size, total, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (total - free)


def _drop_oldest(connection: sqlite3.Connection, *, down_to: int) -> None:
    """Delete what was written longest ago, but never the last entry of all."""
    while (excess := _bytes_used(connection) - down_to) > 0:
        last = _last_of_the_oldest(connection, excess)
        if last is None:
            return
        connection.execute("DELETE FROM entries WHERE id <= ?", (last,))


def _last_of_the_oldest(connection: sqlite3.Connection, size: int) -> int | None:
    """Return up to where the oldest rows have a size together, None where there is one row."""
    found: int | None = None
    query = "SELECT id, size FROM entries WHERE id < (SELECT max(id) FROM entries) ORDER BY id"
    with closing(connection.execute(query)) as rows:
        for number, bytes_ in rows:
            found, size = number, size - bytes_
            if size <= 0:
                break
    return found


def clear(connection: sqlite3.Connection, collection: str | None, *, now: float) -> int:
    """Delete a collection, or all; return how many valid entries that was."""
    chosen = "" if collection is None else "WHERE collection = :collection"
    words = {"collection": collection, "now": now}
    with _transaction(connection):
        count: int
        (count,) = connection.execute(
            f"SELECT count(*) FILTER (WHERE {_VALID}) FROM entries {chosen}", words
        ).fetchone()
        connection.execute(f"DELETE FROM entries {chosen}", words)
    return int(count)


def stats(connection: sqlite3.Connection, *, now: float) -> StoreStats:
    """Count the valid entries and their bytes."""
    count, size = connection.execute(
        f"SELECT count(*), coalesce(sum(size), 0) FROM entries INDEXED BY newest WHERE {_VALID}",
        {"now": now},
    ).fetchone()
    return StoreStats(entries=count, bytes=size)


def newest(
    connection: sqlite3.Connection,
    collection: str,
    *,
    now: float,
    limit: int,
    start: tuple[float, int] | None,
) -> Page:
    """Return the valid entries of a collection, the last created first, from a point on."""
    created, number = start or (float("inf"), 0)
    rows = connection.execute(
        f"SELECT {_COLUMNS}, id FROM entries WHERE collection = :collection AND {_VALID}"
        " AND created <= :created AND (created, id) < (:created, :id)"
        " ORDER BY created DESC, id DESC LIMIT :limit",
        {"collection": collection, "now": now, "created": created, "id": number, "limit": limit},
    ).fetchall()
    more = (rows[-1][3], rows[-1][5]) if len(rows) == limit else None
    return Page([_entry(row[:5]) for row in rows], more)


def vacuum(connection: sqlite3.Connection, *, now: float) -> None:
    """Delete everything that has expired and give the free space back."""
    with _transaction(connection):
        _sweep(connection, now=now, limit=-1)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _row(name: Name, entry: Entry) -> tuple[object, ...]:
    return (*name, entry.created, entry.expires, entry.size, entry.request, entry.response)


def _entry(row: tuple[str, bytes, bytes, float, float | None]) -> Entry:
    key, request, response, created, expires = row
    return Entry(key=key, request=request, response=response, created=created, expires=expires)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into our error, with the path and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(path, error) from error


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """Return our error for one of SQLite's."""
    return StoreError(f"{path}: {error}{_advice(error)}")


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
