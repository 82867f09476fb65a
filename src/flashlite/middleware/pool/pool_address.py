"""Opening a pool by its address."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import ConfigError
from .pool import Pool
from .redis_pool import RedisPool
from .sqlite_pool import SQLitePool

_SERVERS = ("redis://", "rediss://", "unix://")
_BEGINS_WITH_A_SCHEME = re.compile("[a-zA-Z][^/\\\\]+:")  # a single letter is a Windows drive


def open_pool(pool: Pool | str | Path, *, name: str = "default") -> Pool:
    """Return a pool unchanged, or open the one at an address.

    An address is `redis://host:port/number`, `sqlite:path`, or the path of a file that ends in
    `.db`. `name` names the pool that is opened at an address.
    """
    if isinstance(pool, str | Path):
        return _opened(str(pool), name)
    if not callable(getattr(pool, "ask", None)):
        raise ConfigError(f"a pool is a RedisPool, a SQLitePool or an address; got {pool!r:.80}")
    return pool


def _opened(address: str, name: str) -> Pool:
    if address.startswith(_SERVERS):
        return RedisPool(address, name=name)
    if address.startswith("sqlite:"):
        return SQLitePool(address.removeprefix("sqlite:").removeprefix("//"), name=name)
    if address.endswith(".db") and not _BEGINS_WITH_A_SCHEME.match(address):
        return SQLitePool(address, name=name)
    # The address may contain a password, so it is not shown.
    raise ConfigError("a pool's address is redis://host:port/number or sqlite:path/of/a/file.db")
