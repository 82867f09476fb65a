"""The layer protocol, and how layers are stacked on a handler."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..types import CompletionRequest, CompletionResponse, Handler


class Middleware(Protocol):
    """A layer: it may change the request, answer itself, retry, or inspect the response.

    `call_next` is the rest of the stack. A response may still be streaming; register work that must
    wait for its last byte with `await response.on_complete(...)`. A plain async function is a layer
    too.

    A layer passed to `Flashlite(middleware=[...])` sees each call once: cache, retries and limits
    are below it. The number of retries is `response.attempts - 1`, or `error.attempts - 1` where
    the call raised a CompletionError.
    """

    async def __call__(
        self, request: CompletionRequest, call_next: Handler, /
    ) -> CompletionResponse: ...


def stack(layers: Iterable[Middleware | None], handler: Handler) -> Handler:
    """Stack layers on a handler; the first is the outermost, and None is skipped."""
    for layer in reversed(list(layers)):
        if layer is not None:
            handler = _on_top(layer, handler)
    return handler


def _on_top(layer: Middleware, call_next: Handler) -> Handler:
    return lambda request: layer(request, call_next)
