"""Shelves: where answers are kept, in memory, in a SQLite file, in a folder."""

from ..errors import StoreError
from .base import Entry, Store, StoreStats
from .disk import DiskCache
from .files import FSCache
from .memory import MemoryCache

__all__ = [
    "DiskCache",
    "Entry",
    "FSCache",
    "MemoryCache",
    "Store",
    "StoreError",
    "StoreStats",
]
