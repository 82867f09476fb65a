"""A model's context window: how much fits, and what to keep if not everything does."""

from .tokens import TokenCounter, estimate_tokens
from .truncation import Strategy, check_strategy, head_length, open_calls
from .window import ContextManager, check_limits, name_of, truncate_messages, window_of

__all__ = [
    "ContextManager",
    "Strategy",
    "TokenCounter",
    "check_limits",
    "check_strategy",
    "estimate_tokens",
    "head_length",
    "name_of",
    "open_calls",
    "truncate_messages",
    "window_of",
]
