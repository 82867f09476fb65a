"""Vectors of a mock model: counts of a text's words and word pieces, indexed by hash.

Texts with the same words are similar, texts with other words are not, whatever they mean. That is
enough to try out code that needs vectors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from math import sqrt
from typing import Any

from .asked import Refused

_DIMENSIONS = 256


def is_for_embeddings(body: Any) -> bool:
    """Return whether a request's body asks for vectors."""
    return isinstance(body, Mapping) and "input" in body and "messages" not in body


def embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a request, one vector for each text."""
    texts = _texts(body["input"])
    size = body.get("dimensions") or _DIMENSIONS
    if not isinstance(size, int) or not 1 <= size <= 65_536:
        raise Refused(f"Invalid 'dimensions': {size!r}.", param="dimensions")
    tokens = sum(-(-len(text.encode(errors="replace")) // 4) for text in texts)
    return {
        "object": "list",
        "model": body.get("model", ""),
        "data": [
            {"object": "embedding", "index": n, "embedding": _vector(text, size)}
            for n, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _texts(given: Any) -> Sequence[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t for t in texts):
        raise Refused("'input' is a string, or an array of strings.", param="input")
    return texts


def _vector(text: str, size: int) -> list[float]:
    counts = [0.0] * size
    for piece, weight in _pieces(text.lower()):
        digest = blake2b(piece.encode(errors="replace"), digest_size=8).digest()
        place = int.from_bytes(digest[1:]) % size
        counts[place] += weight if digest[0] & 1 else -weight
    length = sqrt(sum(count * count for count in counts)) or 1.0
    return [count / length for count in counts]


def _pieces(text: str) -> Iterator[tuple[str, float]]:
    """Yield the counted pieces with their weights; a word's pieces count as well."""
    for word in re.findall(r"\w+", text) or [json.dumps(text)]:
        yield word, 1.0
        framed = f"<{word}>"
        for start in range(len(framed) - 2):
            yield framed[start : start + 3], 0.5
