"""Stores of answers: in memory, in a SQLite file, in a folder, on servers."""

from ..errors import StoreError
from .base import Entry, Leasing, Semantic, Similar, Store, StoreStats
from .disk import DiskCache
from .embedder import Embed
from .files import FSCache
from .memory import MemoryCache
from .postgres_redis import HybridRedisPostgreSQLCache
from .qdrant import QdrantCache
from .redis_server import RedisServer, Script
from .state_file import State, StateFile

__all__ = [
    "DiskCache",
    "Embed",
    "Entry",
    "FSCache",
    "HybridRedisPostgreSQLCache",
    "Leasing",
    "MemoryCache",
    "QdrantCache",
    "RedisServer",
    "Script",
    "Semantic",
    "Similar",
    "State",
    "StateFile",
    "Store",
    "StoreError",
    "StoreStats",
]
