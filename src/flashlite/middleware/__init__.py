"""Layers: what stands between a call and its provider."""

from .base import Middleware, stack
from .retry import Retry, RetryConfig

__all__ = ["Middleware", "Retry", "RetryConfig", "stack"]
