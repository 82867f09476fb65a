"""Where the cached part of a prompt ends, for APIs that want to be told.

As Inspect's own providers do: unless `cache_prompt` is false, the system message (and with it the
tools, which come before it) and the end of the conversation are marked, and the user's turn before,
for when the last one is replaced. Whoever marks texts himself (`cache_breakpoint`) marks alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from inspect_ai.model import ChatMessage, ContentText, GenerateConfig

from ..providers.dialects import facts_of
from ..types import Message

MARK = {"type": "ephemeral"}
_SYSTEM = ("system", "developer")


def is_marked(
    input: Iterable[ChatMessage], config: GenerateConfig, *, dialect: str, can_cache: bool
) -> bool:
    """Whether this prompt is to be marked here."""
    can_mark = can_cache and facts_of(dialect).marks_cache
    if not can_mark or config.cache_prompt is False:
        return False
    return not any(
        isinstance(part, ContentText) and part.cache_breakpoint
        for message in input
        for part in message.content
    )


def mark(messages: Sequence[Message]) -> None:
    """Mark the end of the system's part and of the last two turns of the user's."""
    leading = list(takewhile(lambda message: message["role"] in _SYSTEM, messages))
    users = [message for message in messages if message["role"] in ("user", "tool")]
    for message in (*leading[-1:], *users[-2:]):
        message["cache_control"] = MARK
