"""A whole answer in OpenAI's form."""

from __future__ import annotations

import time
from typing import Any

from ..types import Choice, CompletionResponse, Usage

CHUNK = "chat.completion.chunk"
"""OpenAI's object name for a chunk of a stream."""


def completion_of(response: CompletionResponse) -> dict[str, Any]:
    """Return an answer with the fields that litellm always has; unknown ones are None."""
    raw, facts = response.raw or {}, response.facts
    created = raw.get("created")
    answer = {
        "id": response.id,
        "created": created if isinstance(created, int) else int(time.time()),
        "model": response.model,
        "object": "chat.completion",
        "system_fingerprint": facts.get("system_fingerprint"),
        "choices": [_choice(choice) for choice in response.choices],
        "usage": usage_of(response),
    }
    return answer | {name: facts[name] for name in _TOLD if name in facts}


_TOLD = ("service_tier", "citations", "search_results")


def usage_of(response: CompletionResponse) -> dict[str, Any] | None:
    """Return the usage of an answer, or None if the provider reported none."""
    usage = response.usage
    if usage is None:
        return None
    counts: dict[str, Any] = {
        "completion_tokens": usage.output_tokens,
        "prompt_tokens": usage.input_tokens,
        "total_tokens": usage.total_tokens,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": usage.input_tokens_cached},
    }
    return counts | _anthropics(usage)


def _anthropics(usage: Usage) -> dict[str, int]:
    """Return the counts of a prompt cache under Anthropic's names."""
    if not usage.input_tokens_cache_write:
        return {}
    return {
        "cache_creation_input_tokens": usage.input_tokens_cache_write,
        "cache_read_input_tokens": usage.input_tokens_cached,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    message = {"content": None, "tool_calls": None, "function_call": None, **choice.message}
    told = {"finish_reason": choice.finish_reason, "index": choice.index, "message": message}
    return told if choice.logprobs is None else {**told, "logprobs": choice.logprobs}
