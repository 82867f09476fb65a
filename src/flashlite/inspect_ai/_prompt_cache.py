"""Cache marks: where the cached part of a prompt ends, for APIs that need marks.

This follows Inspect's own providers: unless `cache_prompt` is false, the system message (and with
it the tools, which come before it) and the last two user turns are marked; the second to last is
for when the last one is replaced. A prompt with `cache_breakpoint` of its own gets no other marks.
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
    """Whether to put marks into this prompt."""
    can_mark = can_cache and facts_of(dialect).marks_cache
    if not can_mark or config.cache_prompt is False:
        return False
    return not any(
        isinstance(part, ContentText) and part.cache_breakpoint
        for message in input
        for part in message.content
    )


def mark(messages: Sequence[Message]) -> None:
    """Mark the last leading system message and the last two user or tool messages."""
    leading = list(takewhile(lambda message: message["role"] in _SYSTEM, messages))
    users = [message for message in messages if message["role"] in ("user", "tool")]
    for message in (*leading[-1:], *users[-2:]):
        message["cache_control"] = MARK
