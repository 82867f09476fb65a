"""Pools: limits and budgets that processes share, in a Redis or in a file.

A pool has rooms: one for each shared minute, and one for the budget. In `shared_line` the callers
of a process wait; `shared_minute` and `shared_purse` translate between them and a room. What a room
does is implemented twice, in Lua to run in Redis and in Python for a file: `epoch`, `turns`,
`minute` and `purse`.
"""

from .pool import Pool, digest
from .pool_address import open_pool
from .redis_pool import RedisPool
from .shared_line import SharedLine
from .shared_minute import SharedMinute
from .shared_purse import SharedPurse
from .sight import PoolSight, look_at
from .sqlite_pool import SQLitePool

__all__ = [
    "Pool",
    "PoolSight",
    "RedisPool",
    "SQLitePool",
    "SharedLine",
    "SharedMinute",
    "SharedPurse",
    "digest",
    "look_at",
    "open_pool",
]
