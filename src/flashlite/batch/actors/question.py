"""What travels to an actor."""

from __future__ import annotations

from dataclasses import dataclass

from ...types import CompletionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, and what its batch knows it by: see `Item`."""

    request: CompletionRequest
    item: str
    position: int
