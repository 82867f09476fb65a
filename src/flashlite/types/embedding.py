"""Texts as vectors."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from ..errors import MalformedResponseError
from .response import CompletionResponse
from .usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingResult:
    """The vectors of some texts, in the order of the texts.

    A long list takes several requests. `usage` is the sum of all, None if it is unknown for any;
    `cached` is true if none had to be sent; `raw` has the provider's JSON for each one sent.
    `error` says why this is not an answer; only custom providers set it, those of flashlite raise.
    """

    embeddings: list[list[float]]
    model: str = ""
    usage: Usage | None = None
    cached: bool = False
    error: str | None = None
    raw: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def embedding(self) -> list[float]:
        """The first vector."""
        return self.embeddings[0]

    @property
    def cost(self) -> float | None:
        """The cost in US dollars, None if the price or the usage is unknown."""
        return self.usage.total_cost if self.usage else None

    @property
    def ok(self) -> bool:
        """Whether this is an answer, without an `error`."""
        return self.error is None


def vectors_of(response: CompletionResponse, *, texts: int) -> list[list[float]]:
    """Return the vectors of an answer; raises MalformedResponseError if a text has none."""
    if len(response.choices) != texts:
        raise MalformedResponseError(
            f"{texts} texts brought {len(response.choices)} embeddings", body=response.raw
        )
    try:
        return [vector_of(choice.message["embedding"]) for choice in response.choices]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedResponseError(f"not an embedding: {error}", body=response.raw) from error


def vector_of(embedding: Any) -> list[float]:
    """Return an embedding as a list of numbers; base64 is read as little-endian float32.

    Raises TypeError, ValueError or OverflowError for anything else, and for an empty one.
    """
    if isinstance(embedding, str):
        floats = array("f", b64decode(embedding, validate=True))
        if sys.byteorder == "big":
            floats.byteswap()
        numbers = floats.tolist()
    elif isinstance(embedding, list) and set(map(type, embedding)) <= {float, int}:
        numbers = list(map(float, embedding))
    else:
        raise TypeError(f"{embedding!r:.80} is not a vector")
    if not numbers or not all(map(isfinite, numbers)):
        raise ValueError("a vector that is empty, or has no number somewhere")
    return numbers
