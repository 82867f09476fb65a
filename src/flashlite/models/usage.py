"""Reading the token counts of an API's own answer, without knowing its dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..types.usage import Usage


def read_usage(told: Any) -> Usage:
    """Read a usage object or dict in either of OpenAI's spellings, without its cost.

    These are `prompt_tokens` and `completion_tokens` (chat, embeddings), or `input_tokens` and
    `output_tokens` (responses), each with its `_details`. A `Usage` is returned unchanged.
    """
    if isinstance(told, Usage):
        return told
    asked = _field(told, "prompt_tokens", "input_tokens")
    if asked is None:
        raise ConfigError(f"a usage has prompt_tokens or input_tokens; got {told!r:.80}")
    given = _field(told, "prompt_tokens_details", "input_tokens_details")
    made = _field(told, "completion_tokens_details", "output_tokens_details")
    return Usage(
        input_tokens=asked,
        output_tokens=_field(told, "completion_tokens", "output_tokens") or 0,
        total_tokens=_field(told, "total_tokens") or 0,
        input_tokens_cached=_field(given, "cached_tokens") or 0,
        input_tokens_cache_write=_field(given, "cache_write_tokens") or 0,
        reasoning_tokens=_field(made, "reasoning_tokens") or 0,
    )


def _field(told: Any, *names: str) -> Any:
    """Return the first of these dict keys or attributes that is present."""
    for name in names:
        value = told.get(name) if isinstance(told, Mapping) else getattr(told, name, None)
        if value is not None:
            return value
    return None
