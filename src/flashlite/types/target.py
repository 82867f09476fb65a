"""Who answers a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .request import CompletionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who answers a request: what caches, prices and limits go by.

    `provider` names who answers, `model` is its own name for the model, `dialect` what is spoken
    there, `address` the server (empty where a library finds it). `account` tells API keys apart
    without showing them.
    """

    provider: str
    dialect: str
    model: str
    address: str = ""
    account: str = ""

    @property
    def full_name(self) -> str:
        """The model as price lists know it: `openai/gpt-4o`."""
        return f"{self.provider}/{self.model}"


def target_of(handler: Any) -> Callable[[CompletionRequest], Target]:
    """Return what tells the target of a request at a provider: its own `target`, if it has one.

    Two providers of one class that answer differently need one, or they would share a cache.
    """
    own: Callable[[CompletionRequest], Target] | None = getattr(handler, "target", None)
    if own is not None:
        return own
    kind = handler if hasattr(handler, "__qualname__") else type(handler)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return lambda request: Target(provider="custom", dialect=name, model=request.model)
