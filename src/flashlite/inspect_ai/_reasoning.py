"""Reasoning, from our form to Inspect's and back: providers get it back unchanged.

Claude's blocks follow Inspect's own Anthropic provider (`model/_providers/anthropic.py`): the
signature in `reasoning`, the text in `summary`, `redacted=True`. The form of Inspect's
`litellm-proxy` provider is read too, so that logs and agents can switch between the two. Blocks of
other providers, which have other types or no signature, are kept in `internal`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.model import ContentReasoning

from ..inspect_logs.messages import is_claudes, to_thought
from ..models import family
from ..types import Message

_SIGNED = "thinking_blocks"
_DETAILS = "reasoning_details"
_ALONE = "alone"  # marks details that came without a text beside them
_TAG = "think_tag"
_MAY_BE_CLAUDE = (None, "anthropic", "bedrock")  # model families that may be Claude


def to_reasoning(message: Message) -> list[ContentReasoning]:
    """Return the reasoning of an answer."""
    text = message.get("reasoning_content") or ""
    if blocks := message.get(_SIGNED):
        if all(map(is_claudes, blocks)):
            return [ContentReasoning(**to_thought(block)) for block in blocks]
        return [ContentReasoning(reasoning=text, internal={_SIGNED: blocks})]
    if details := message.get(_DETAILS):
        kept = {_DETAILS: details} | ({} if text else {_ALONE: True})
        return [ContentReasoning(reasoning=text or _readable(details), internal=kept)]
    return [ContentReasoning(reasoning=text)] if text else []


def think_tag(text: str) -> ContentReasoning:
    """Return reasoning that stood in the text between `<think>` tags."""
    return ContentReasoning(reasoning=text.strip(), internal=_TAG)


def from_reasoning(
    parts: Sequence[ContentReasoning], *, author: str | None
) -> tuple[dict[str, Any], str]:
    """Return the reasoning fields of an assistant message, and the `<think>` text to prepend.

    `author` is the model that wrote it: only Claude can read Claude's signatures, and other
    providers' encrypted reasoning looks the same in a log.
    """
    tagged = "".join(
        f"<think>\n{part.reasoning}\n</think>\n\n" for part in parts if part.internal == _TAG
    )
    parts = [part for part in parts if part.internal != _TAG]
    texts = [_text(part) for part in parts if not _is_alone(part)]
    is_claude = author is None or family(author) in _MAY_BE_CLAUDE
    carried = {
        "reasoning_content": "\n".join(text for text in texts if text),
        _SIGNED: [block for part in parts if is_claude and (block := _to_block(part))]
        + [block for part in parts for block in _kept(part, _SIGNED)],
        _DETAILS: [detail for part in parts for detail in _kept(part, _DETAILS)],
    }
    return {name: value for name, value in carried.items() if value}, tagged


def is_signed_by_claude(part: ContentReasoning) -> bool:
    """Whether a part is one of Claude's thinking blocks, whose place among the texts matters."""
    return part.internal != _TAG and _to_block(part) is not None


def _to_block(part: ContentReasoning) -> dict[str, Any] | None:
    if part.internal == _SIGNED and not part.redacted:
        return {"type": "thinking", "thinking": part.reasoning, "signature": part.signature or ""}
    if not part.redacted:
        return None
    if part.summary is not None:
        return {"type": "thinking", "thinking": part.summary, "signature": part.reasoning}
    return {"type": "redacted_thinking", "data": part.reasoning or part.signature or ""}


def _text(part: ContentReasoning) -> str:
    return part.summary or "" if part.redacted else part.reasoning


def _readable(details: Sequence[Any]) -> str:
    """Return the readable text in a gateway's reasoning details."""
    told = [d.get("text") or d.get("summary") for d in details if isinstance(d, Mapping)]
    return "\n".join(text for text in told if isinstance(text, str))


def _is_alone(part: ContentReasoning) -> bool:
    return isinstance(part.internal, Mapping) and _ALONE in part.internal


def _kept(part: ContentReasoning, name: str) -> list[Any]:
    kept = part.internal.get(name) if isinstance(part.internal, Mapping) else None
    return kept if isinstance(kept, list) else []
