"""Finding out who answers, once for all layers below."""

from __future__ import annotations

from collections.abc import Callable

from ..types import CompletionRequest, CompletionResponse, Handler, Target


class Aim:
    """Put the target into the request; layers that go by it ask the same function without this."""

    def __init__(self, target: Callable[[CompletionRequest], Target]) -> None:
        self._target = target

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return await call_next(request.with_(target=self._target(request)))
