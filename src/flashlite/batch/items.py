"""How a batch identifies a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..engine import Engine
from ..errors import ConfigError
from ..many import OneInput, arguments_of
from ..middleware import with_local_files
from ..middleware.cache_key import canonical, key_of
from ..types import CompletionRequest, CompletionResponse, Target
from .batch import Item
from .checkpoint import Intent

_MOST_WORDS = 80  # characters


async def request_of(client: Engine, item: OneInput) -> CompletionRequest:
    """Return the request that an item of a batch stands for."""
    options: Any = arguments_of(item)
    own = [options.pop(name, None) for name in ("messages", "model", "response_model")]
    messages, model, response_model = own
    return await with_local_files(client.build(messages, model, options, response_model))


def item_of(
    request: CompletionRequest, call: Callable[[Intent], Awaitable[CompletionResponse]]
) -> Item:
    """Return the batch item of a request that `call` answers."""
    words = request.messages[-1].text if request.messages else ""
    return Item(
        hash=_identity(request),
        about=f"{request.model}: {words}"[:_MOST_WORDS],
        call=call,
        response_model=request.response_model,
    )


def _identity(request: CompletionRequest) -> str:
    """Hash all that decides the answer, with the model's name and base URL as given."""
    asked = Target(
        provider="", dialect=request.api or "", model=request.model, address=request.base_url or ""
    )
    try:
        return key_of(canonical(request, asked))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"a request of a batch is JSON, for that is what it is known by: {error}"
        ) from error
