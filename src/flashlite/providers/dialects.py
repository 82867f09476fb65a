"""The dialects by name; each is imported when the first request needs it."""

from __future__ import annotations

from importlib import import_module

from .adapter import Adapter

_HOMES = {
    "openai": "openai.OpenAIAdapter",
}


def adapter_for(dialect: str) -> Adapter:
    """Return the adapter of a dialect."""
    module, _, name = _HOMES[dialect].rpartition(".")
    adapter: Adapter = getattr(import_module(f".{module}", __package__), name)()
    return adapter
