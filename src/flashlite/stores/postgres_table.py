"""A table of answers in PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import env
from ..errors import ConfigError, StoreError
from .base import StoreStats
from .by_loop import ByLoop
from .rows import Row
from .server import Server

if TYPE_CHECKING:
    from asyncpg import Pool, Record

VERSION = 1
"""The version of the tables; a program that knows only an older one does not touch them."""

_TIMEOUT = 10.0  # seconds, of a statement
_CONNECTIONS = 10  # of one event loop
_LOCK = 0x666C6173686C6974  # "flashlit" in ASCII; one process at a time creates the tables

_TABLES = """
CREATE TABLE IF NOT EXISTS flashlite_schema (version int NOT NULL, identity text NOT NULL);
CREATE TABLE IF NOT EXISTS flashlite_cache (
    collection text NOT NULL,
    key text NOT NULL,
    created double precision NOT NULL,
    expires double precision,
    codec smallint NOT NULL,
    size bigint NOT NULL,
    request bytea NOT NULL,
    response bytea NOT NULL,
    PRIMARY KEY (collection, key)
);
CREATE INDEX IF NOT EXISTS flashlite_cache_newest ON flashlite_cache (collection, created, key);
CREATE INDEX IF NOT EXISTS flashlite_cache_expires ON flashlite_cache (expires)
    WHERE expires IS NOT NULL;
"""
_COLUMNS = "created, expires, codec, request, response"
_VALID = "(expires IS NULL OR expires > $1)"


class Name(NamedTuple):
    """The collection and key that identify an entry."""

    collection: str
    key: str


class PostgresTable:
    """The answers in one database, given by a DSN or the variable PG_DSN.

    The tables are created at the first use. A statement fails after 10 seconds; failures are
    `StoreError`s.
    """

    def __init__(self, dsn: str | None = None) -> None:
        self._dsn = dsn or env.get("PG_DSN") or ""
        if not self._dsn:
            raise ConfigError("where is PostgreSQL? Pass pg_dsn=... or set PG_DSN")
        self._server = Server("PostgreSQL", self._dsn)
        self._pools: ByLoop[Pool[Record]] = ByLoop(self._live)
        self._identity = ""
        _import_asyncpg()

    async def identity(self) -> str:
        """Return the unique name of the database, created with its tables."""
        if not self._identity:
            async with self._connection():
                pass
        return self._identity

    async def find(self, name: Name, *, now: float) -> Row | None:
        async with self._connection() as connection:
            found = await connection.fetchrow(
                f"SELECT {_COLUMNS} FROM flashlite_cache "
                f"WHERE {_VALID} AND collection = $2 AND key = $3",
                *(now, *name),
            )
        return None if found is None else Row(*found)

    async def write(self, name: Name, row: Row, *, size: int) -> None:
        async with self._connection() as connection:
            await connection.execute(
                "INSERT INTO flashlite_cache "
                f"(collection, key, size, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
                "ON CONFLICT (collection, key) DO UPDATE SET size = excluded.size, "
                "created = excluded.created, expires = excluded.expires, codec = excluded.codec, "
                "request = excluded.request, response = excluded.response",
                *name,
                *(size, row.created, row.expires, row.codec, row.request, row.response),
            )

    async def remove(self, name: Name) -> None:
        async with self._connection() as connection:
            await connection.execute(
                "DELETE FROM flashlite_cache WHERE collection = $1 AND key = $2", *name
            )

    async def remove_expired(self, *, now: float, limit: int) -> None:
        """Remove up to `limit` expired entries, except rows that are being written."""
        async with self._connection() as connection:
            await connection.execute(
                "DELETE FROM flashlite_cache WHERE (collection, key) IN (SELECT collection, key "
                "FROM flashlite_cache WHERE expires <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
                *(now, limit),
            )

    async def clear(self, collection: str | None, *, now: float) -> int:
        """Remove one collection, or all; return how many valid entries were removed."""
        async with self._connection() as connection:
            removed: int = await connection.fetchval(
                "WITH gone AS (DELETE FROM flashlite_cache "
                "WHERE $2::text IS NULL OR collection = $2 RETURNING expires) "
                f"SELECT count(*) FROM gone WHERE {_VALID}",
                *(now, collection),
                timeout=None,
            )
        return removed

    async def stats(self, *, now: float) -> StoreStats:
        async with self._connection() as connection:
            entries, size = await connection.fetchrow(
                "SELECT count(*), coalesce(sum(size), 0)::bigint FROM flashlite_cache "
                f"WHERE {_VALID}",
                now,
            )
        return StoreStats(entries=entries, bytes=size)

    async def collections(self) -> list[str]:
        """Return the names of all collections."""
        async with self._connection() as connection:
            found = await connection.fetch("SELECT DISTINCT collection FROM flashlite_cache")
        return [name for (name,) in found]

    async def newest(
        self, collection: str, *, now: float, limit: int, before: tuple[float, str] | None
    ) -> list[tuple[str, Row]]:
        """Return keys and entries, newest first, starting after a given position."""
        created, key = before or (float("inf"), "")
        async with self._connection() as connection:
            found = await connection.fetch(
                f"SELECT key, {_COLUMNS} FROM flashlite_cache "
                f"WHERE {_VALID} AND collection = $2 AND (created, key) < ($3, $4) "
                "ORDER BY created DESC, key DESC LIMIT $5",
                *(now, collection, created, key, limit),
            )
        return [(key, Row(*columns)) for key, *columns in found]

    async def aclose(self) -> None:
        await self._pools.aclose()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        asyncpg = _import_asyncpg()
        with self._server.errors(
            (asyncpg.PostgresError, asyncpg.InterfaceError),
            (
                *(OSError, TimeoutError, asyncpg.PostgresConnectionError),
                *(asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError),
                asyncpg.InternalClientError,  # raised when a connection breaks in use
            ),
        ):
            pool = await self._pools.get()
            async with pool.acquire(timeout=_TIMEOUT) as connection:
                yield connection

    async def _live(self) -> AsyncGenerator[Pool[Record]]:
        asyncpg = _import_asyncpg()
        pool = asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=_CONNECTIONS,
            timeout=_TIMEOUT,
            command_timeout=_TIMEOUT,
        )
        try:
            await pool
            async with pool.acquire() as connection:
                self._identity = await _make_tables(connection)
            yield pool
        except ValueError:  # an invalid address; the message could show its password
            raise ConfigError(
                "pg_dsn (or PG_DSN) is postgresql://user:password@host:port/database"
            ) from None
        finally:
            await _close(pool)


async def _make_tables(connection: Any) -> str:
    """Create the tables if there are none, and return the database's identity."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        is_there = await connection.fetchval("SELECT to_regclass('flashlite_schema') IS NOT NULL")
        if not is_there:
            await connection.execute(_TABLES)
            await connection.execute(
                "INSERT INTO flashlite_schema VALUES ($1, $2)", VERSION, secrets.token_hex(8)
            )
        version: int
        identity: str
        version, identity = await connection.fetchrow(
            "SELECT version, identity FROM flashlite_schema"
        )
    if version > VERSION:
        raise StoreError(
            f"the cache's tables are of version {version}, made by a newer flashlite than this, "
            f"which knows version {VERSION}: upgrade it, or name another database"
        )
    return identity


async def _close(pool: Pool[Record]) -> None:
    """Close the connections; cut those still in use after two seconds."""
    try:
        async with asyncio.timeout(2):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def _import_asyncpg() -> Any:
    try:
        import asyncpg
    except ImportError as error:
        raise ConfigError(
            "PostgreSQL needs a package: pip install 'flashlite[postgres]'"
        ) from error
    return asyncpg
