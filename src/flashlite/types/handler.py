"""The one mechanism: a request goes in, a response comes out."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from .ids import new_id
from .request import CompletionRequest
from .response import CompletionResponse
from .target import Target

Handler: TypeAlias = Callable[[CompletionRequest], Awaitable[CompletionResponse]]
"""Answers requests. A provider is one; a layer takes one and is one; a test's fake is one."""


def target_of(handler: Any) -> Callable[[CompletionRequest], Target]:
    """Return what tells the target of a request at a provider: its own `target`, if it has one.

    A provider without one has a cache to itself, unless it is a plain function.
    """
    own: Callable[[CompletionRequest], Target] | None = getattr(handler, "target", None)
    if own is not None:
        return own
    # Of anything but a plain function nobody knows what else decides its answers.
    is_plain = inspect.isfunction(handler) and handler.__closure__ is None
    name = getattr(handler, "__qualname__", type(handler).__qualname__)
    name = f"{handler.__module__}.{name}" if is_plain else f"{name} {new_id()}"
    return lambda request: Target(provider="custom", dialect=name, model=request.model)
