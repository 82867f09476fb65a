"""A request split into its question and the rest, which must be equal.

Two requests may share an answer if they differ only in how their single question is worded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .paraphrase import decisive_parts, may_be_a_paraphrase

_LONGEST = 300  # characters: in a longer text one decisive word weighs too little


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A question, and a digest of the parts of its request that must be equal."""

    question: str
    rest: str

    @classmethod
    def of(cls, request: bytes) -> Wording | None:
        """Split the canonical JSON of a request; return None if it has no comparable question.

        A request has a question if it has one user message, of one text, after instructions only.
        It has none with a history, tool results, images or other media, nor if it asks for one of
        several draws (`sample`, `n`) or for embeddings, or if its text is long or has several
        lines, as a filled-in form, a document or code has.
        """
        try:
            decisive = json.loads(request)
            text = _taken_out(decisive)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None  # not a request as flashlite writes it
        if text is None or len(text) > _LONGEST or len(text.strip().splitlines()) != 1:
            return None
        rest = json.dumps([decisive, list(decisive_parts(text))], sort_keys=True)
        return cls(question=text, rest=sha256(rest.encode()).hexdigest())

    def may_say_the_same_as(self, other: Wording) -> bool:
        """Return whether only the wording of the question differs and it may mean the same."""
        return self.rest == other.rest and may_be_a_paraphrase(self.question, other.question)


def _taken_out(request: dict[str, Any]) -> str | None:
    """Remove the single question from a request and return it, or None if there is none."""
    *before, last = request["messages"]
    if request.get("api") or request.get("sample") is not None:
        return None
    if request["params"].get("n", 1) != 1 or last["role"] != "user":
        return None
    if any(message["role"] not in ("system", "developer") for message in before):
        return None
    content = last["content"]
    if isinstance(content, str):
        last["content"] = None
        return content
    if len(content) != 1 or content[0].get("type") != "text":
        return None
    text: str = content[0].pop("text")
    return text
