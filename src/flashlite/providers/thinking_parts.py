"""Thinking among the parts of the content, as Mistral and Databricks send it.

Mistral's parts are `{"type": "thinking", "thinking": [{"type": "text", "text": ...}]}`, those of
Databricks `{"type": "reasoning", "summary": [{"type": "summary_text", "text": ..., "signature":
...}]}`.
Sources: https://docs.mistral.ai/capabilities/reasoning and
https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .reading import text_in

_PIECES = {"thinking": "thinking", "reasoning": "summary"}


def split_thinking(content: list[Any]) -> tuple[Any, list[dict[str, Any]]]:
    """Return the content without its thinking, and the thinking as blocks of Anthropic's form.

    If only text remains beside the thinking, it becomes one string; parts without any thinking stay
    unchanged.
    """
    rest = [part for part in content if part.get("type") not in _PIECES]
    if len(rest) == len(content):
        return content, []
    blocks = [block for part in content for block in _blocks(part)]
    if all(part.get("type") == "text" for part in rest):
        return "".join(text_in(part.get("text")) for part in rest), blocks
    return rest, blocks


def thinking_text(blocks: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of the blocks."""
    return "".join(block["thinking"] for block in blocks)


def signed(blocks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the signed blocks, which a provider wants back unchanged."""
    return [block for block in blocks if "signature" in block]


def _blocks(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    pieces = part.get(_PIECES.get(part.get("type") or "", "")) or ()
    for piece in [{"text": pieces}] if isinstance(pieces, str) else pieces:
        block = {"type": "thinking", "thinking": text_in(piece.get("text"))}
        signature = piece.get("signature")
        yield block if signature is None else {**block, "signature": text_in(signature)}
