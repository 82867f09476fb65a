"""The one mechanism: a request goes in, a response comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from .request import CompletionRequest
from .response import CompletionResponse
from .target import Target

Handler: TypeAlias = Callable[[CompletionRequest], Awaitable[CompletionResponse]]
"""Answers requests. A provider is one; a layer takes one and is one; a test's fake is one."""


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
