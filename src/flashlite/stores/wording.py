"""A request as a question, and as all that has to be the same.

Two requests may have one answer when they differ in nothing but how their one question is put.
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
    """A question, and a digest of all of its request that has to be the same."""

    question: str
    rest: str

    @classmethod
    def of(cls, request: bytes) -> Wording | None:
        """Read the canonical JSON of a request; None for one that has to be the same throughout.

        There is a question where a request has one user message, of one text, after nothing but
        instructions. It has none with a history, results of tools, images or other media; none if
        it asks for one of several draws (`sample`, `n`), for embeddings, at length, or in several
        lines, which are a form that was filled in, a document or code.
        """
        try:
            decisive = json.loads(request)
            text = _taken_out(decisive)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None  # not a request as we write it
        if text is None or len(text) > _LONGEST or len(text.strip().splitlines()) != 1:
            return None
        rest = json.dumps([decisive, list(decisive_parts(text))], sort_keys=True)
        return cls(question=text, rest=sha256(rest.encode()).hexdigest())

    def may_say_the_same_as(self, other: Wording) -> bool:
        """Whether nothing but the words of the question differs, and they may mean the same."""
        return self.rest == other.rest and may_be_a_paraphrase(self.question, other.question)


def _taken_out(request: dict[str, Any]) -> str | None:
    """Take the one question out of a request and return it; None where there is no such thing."""
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
