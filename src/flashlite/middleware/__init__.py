"""Layers: what stands between a call and its provider."""

from .aim import Aim
from .base import Middleware, stack
from .budget import Budget, WithinBudget
from .cache import Cache
from .concurrency import Concurrency
from .fallback import fallback
from .ledger import Account, Ledger
from .rate_limit import RateLimit, RateLimitConfig
from .retry import Retry, RetryConfig

__all__ = [
    "Account",
    "Aim",
    "Budget",
    "Cache",
    "Concurrency",
    "Ledger",
    "Middleware",
    "RateLimit",
    "RateLimitConfig",
    "Retry",
    "RetryConfig",
    "WithinBudget",
    "fallback",
    "stack",
]
