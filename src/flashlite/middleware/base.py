"""A layer takes a handler and is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..types import CompletionRequest, CompletionResponse, Handler


class Middleware(Protocol):
    """A layer: it may change the request, answer by itself, try again, or look at what returns.

    `call_next` is the rest of the stack. A response may still be open; what must wait for its
    last byte is said with `await response.on_complete(...)`. A plain async function will do.

    A layer of yours, in `Flashlite(middleware=[...])`, sees each call once: cache, retries and
    limits are below it. How often a call was tried again is `response.attempts - 1`, or
    `error.attempts - 1` where it raised a CompletionError.
    """

    async def __call__(
        self, request: CompletionRequest, call_next: Handler, /
    ) -> CompletionResponse: ...


def stack(layers: Iterable[Middleware | None], handler: Handler) -> Handler:
    """Put layers on a handler; the first is the outermost, None is no layer."""
    for layer in reversed(list(layers)):
        if layer is not None:
            handler = _on_top(layer, handler)
    return handler


def _on_top(layer: Middleware, call_next: Handler) -> Handler:
    return lambda request: layer(request, call_next)
