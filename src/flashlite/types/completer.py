"""The part of an engine that conversations, agents and tool loops need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from ..errors import ConfigError
from .listening import current_listener


class Completer(Protocol):
    """Anything that completes messages: a `Flashlite`, a provider, a bridge to another engine.

    `complete(messages, **options)` returns a CompletionResponse. A `response_model` also needs an
    `ask` that returns the whole response, and streams need a `stream` that yields events, the last
    one DONE; `Flashlite` has both.
    """

    @property
    def complete(self) -> Callable[..., Awaitable[Any]]: ...


def asking(
    client: Completer, response_model: type[Any] | None = None
) -> Callable[..., Awaitable[Any]]:
    """Return the function that asks the model and returns the whole response."""
    ask = client.complete if response_model is None else _asking_for(client, response_model)
    listener = current_listener()
    return ask if listener is None else partial(listener.complete, ask)


def _asking_for(client: Completer, response_model: type[Any]) -> Callable[..., Awaitable[Any]]:
    ask = getattr(client, "ask", None)
    if ask is None:
        raise ConfigError("a response_model needs a client that has ask(), such as Flashlite")
    return partial(ask, response_model=response_model)
