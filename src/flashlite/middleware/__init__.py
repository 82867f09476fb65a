"""Layers: the steps between a call and its provider."""

from .aim import Aim
from .base import Middleware, stack
from .budget import Budget, WithinBudget
from .cache import Cache
from .concurrency import Concurrency
from .continuing import Continuing
from .events import CallbackManager, Events
from .fallback import Fallback
from .files import local_files, with_local_files
from .ledger import Account, Ledger
from .log import Log, StructuredLogger, read_log
from .on_wire import OnWire, before_sending
from .outermost import outermost
from .pool import Pool, RedisPool, SQLitePool, open_pool
from .rate_limit import RateLimit, RateLimitConfig
from .retry import Retry, RetryConfig
from .structured import Structured, fitting

__all__ = [
    "Account",
    "Aim",
    "Budget",
    "Cache",
    "CallbackManager",
    "Concurrency",
    "Continuing",
    "Events",
    "Fallback",
    "Ledger",
    "Log",
    "Middleware",
    "OnWire",
    "Pool",
    "RateLimit",
    "RateLimitConfig",
    "RedisPool",
    "Retry",
    "RetryConfig",
    "SQLitePool",
    "Structured",
    "StructuredLogger",
    "WithinBudget",
    "before_sending",
    "fitting",
    "local_files",
    "open_pool",
    "outermost",
    "read_log",
    "stack",
    "with_local_files",
]
