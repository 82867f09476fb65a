"""Handlers, the one mechanism of the engine: a request goes in, a response comes out."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from .ids import new_id
from .request import CompletionRequest
from .response import CompletionResponse
from .target import Target

Handler: TypeAlias = Callable[[CompletionRequest], Awaitable[CompletionResponse]]
"""Answers requests: a provider, a layer around another handler, or a fake in a test."""


def target_of(handler: Any) -> Callable[[CompletionRequest], Target]:
    """Return the function that gives the target of a request: the handler's `target`, if any.

    A handler without one shares stored answers with no other, unless it is a plain function.
    """
    own: Callable[[CompletionRequest], Target] | None = getattr(handler, "target", None)
    if own is not None:
        return own
    # The answers of anything but a plain function may depend on state that is not known here.
    is_plain = inspect.isfunction(handler) and handler.__closure__ is None
    name = getattr(handler, "__qualname__", type(handler).__qualname__)
    name = f"{handler.__module__}.{name}" if is_plain else f"{name} {new_id()}"
    return lambda request: Target(provider="custom", dialect=name, model=request.model)
