"""What is known about models: prices, limits, abilities, tokens. No request is ever made here."""

from __future__ import annotations

from .catalog import (
    ModelProfile,
    family,
    is_provider,
    lookup,
    priced,
    register_model,
    unregister_model,
)
from .prices import Prices, cost
from .tokens import count_tokens

__all__ = [
    "ModelProfile",
    "Prices",
    "cost",
    "count_tokens",
    "family",
    "is_provider",
    "lookup",
    "priced",
    "register_model",
    "unregister_model",
]
