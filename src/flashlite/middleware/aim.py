"""The layer that resolves the target of a request, once for all layers below."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler, Target


def aimed(request: CompletionRequest) -> Target:
    """Return the target that `Aim` put into the request."""
    if request.target is None:
        raise ConfigError("a layer that goes by the target of a request needs Aim above it")
    return request.target


class Aim:
    """Put the target into the request, for all layers below."""

    def __init__(self, target: Callable[[CompletionRequest], Target]) -> None:
        self._target = target

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return await call_next(request.with_(target=self._target(request)))
