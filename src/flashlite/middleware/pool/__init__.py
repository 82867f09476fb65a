"""Pools: limits and budgets that processes share, in a Redis or in a file.

A pool keeps rooms: one for each minute that is shared, and one for the budget. In `shared_line` the
callers of a process wait; `shared_minute` and `shared_purse` say what they ask for and were given.
What a room does with that is written twice, for Redis to run and for a file: `epoch`, `turns`,
`minute` and `purse`, in Lua and in Python.
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
