"""The SQLite file of answers: its tables and all SQL statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import chain
from typing import NamedTuple

from .base import Entry, StoreStats
from .sqlite import Schema, transaction

# A new row has the highest id, so the lowest ids were written longest ago.
_STATEMENTS = (
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
    # Counting reads only this index, not the answers.
    "CREATE INDEX newest ON entries (collection, created, expires, size)",
    "CREATE INDEX expiring ON entries (expires) WHERE expires IS NOT NULL",
)
SCHEMA = Schema(format=1, statements=_STATEMENTS, example="answers.db")

_INSERTED_AT_ONCE = 100
_SWEPT_AT_ONCE = 500
_COLUMNS = "key, request, response, created, expires"
_VALID = "(expires IS NULL OR expires > :now)"

Name = tuple[str, str]  # collection, key


class Page(NamedTuple):
    """Some entries, and where the next page begins (None: these were the last)."""

    entries: list[Entry]
    next: tuple[float, int] | None


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
    """Store entries, and delete those given as None, in one transaction.

    Also remove some expired entries, and the oldest if the file is larger than `max_bytes`.
    """
    last = dict(changes)
    with transaction(connection):
        connection.executemany(
            "DELETE FROM entries WHERE collection = ? AND key = ?",
            [name for name, entry in last.items() if entry is None],
        )
        rows = [_row(name, entry) for name, entry in last.items() if entry is not None]
        for start in range(0, len(rows), _INSERTED_AT_ONCE):
            _insert(connection, rows[start : start + _INSERTED_AT_ONCE])
        _sweep(connection, now=now, limit=_SWEPT_AT_ONCE)
        if max_bytes is not None and _bytes_used(connection) > max_bytes:
            _drop_oldest(connection, down_to=max_bytes * 9 // 10)


def _insert(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    """Write rows in one statement, because SQLite reacquires the GIL after each one."""
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
    connection.execute(
        "INSERT OR REPLACE INTO entries"
        f" (collection, key, created, expires, size, request, response) VALUES {places}",
        tuple(chain.from_iterable(rows)),
    )


def _sweep(connection: sqlite3.Connection, *, now: float, limit: int) -> None:
    connection.execute(
        "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires <= ? LIMIT ?)",
        (now, limit),
    )


def _bytes_used(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file's used pages, whichever process wrote them."""
    size, total, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (total - free)


def _drop_oldest(connection: sqlite3.Connection, *, down_to: int) -> None:
    """Delete the entries written longest ago, but never the newest one."""
    while (excess := _bytes_used(connection) - down_to) > 0:
        last = _last_of_the_oldest(connection, excess)
        if last is None:
            return
        connection.execute("DELETE FROM entries WHERE id <= ?", (last,))


def _last_of_the_oldest(connection: sqlite3.Connection, size: int) -> int | None:
    """Return the id up to which the oldest rows reach a size, or None if there is only one row."""
    found: int | None = None
    query = "SELECT id, size FROM entries WHERE id < (SELECT max(id) FROM entries) ORDER BY id"
    with closing(connection.execute(query)) as rows:
        for number, bytes_ in rows:
            found, size = number, size - bytes_
            if size <= 0:
                break
    return found


def clear(connection: sqlite3.Connection, collection: str | None, *, now: float) -> int:
    """Delete one collection, or all; return how many valid entries were deleted."""
    chosen = "" if collection is None else "WHERE collection = :collection"
    words = {"collection": collection, "now": now}
    with transaction(connection):
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
    """Return the valid entries of a collection, newest first, starting after a given position."""
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
    """Delete all expired entries and return the free space to the disk."""
    with transaction(connection):
        _sweep(connection, now=now, limit=-1)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _row(name: Name, entry: Entry) -> tuple[object, ...]:
    return (*name, entry.created, entry.expires, entry.size, entry.request, entry.response)


def _entry(row: tuple[str, bytes, bytes, float, float | None]) -> Entry:
    key, request, response, created, expires = row
    return Entry(key=key, request=request, response=response, created=created, expires=expires)
