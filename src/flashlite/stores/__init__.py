"""Shelves: where answers are kept, in memory, in a SQLite file, in a folder, on servers."""

from ..errors import StoreError
from .base import Entry, Leasing, Store, StoreStats
from .disk import DiskCache
from .files import FSCache
from .memory import MemoryCache
from .postgres_redis import HybridRedisPostgreSQLCache
from .redis_server import RedisServer, Script

__all__ = [
    "DiskCache",
    "Entry",
    "FSCache",
    "HybridRedisPostgreSQLCache",
    "Leasing",
    "MemoryCache",
    "RedisServer",
    "Script",
    "Store",
    "StoreError",
    "StoreStats",
]
