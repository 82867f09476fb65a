"""Checks of the arguments of conversations, agents and chats."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any

from ..errors import ConfigError
from ..options import CallOptions


def check_options(options: Mapping[str, Any], kind: type, advice: Mapping[str, str]) -> None:
    """Raise ConfigError for an option that looks like a misspelled argument of `kind`.

    `advice` says what to write for other libraries' names. All other options are left to the
    client, because only the client knows which ones it takes.
    """
    for name in options:
        if name in CallOptions.__annotations__:
            continue
        own = [one for one in signature(kind).parameters if one != "options"]
        near = get_close_matches(name, own, n=1, cutoff=0.8)
        hint = advice.get(name, f"did you mean {near[0]!r}?" if near else None)
        if hint is not None:
            raise ConfigError(f"{kind.__name__} has no argument {name!r}: {hint}")


def check_client(client: Any, hint: str = "") -> None:
    """Raise ConfigError if a client has no `complete`, such as a model's name, or is a class."""
    if client is None:
        return
    if isinstance(client, type) or not callable(getattr(client, "complete", None)):
        raise ConfigError(
            f"a client is what completes, such as Flashlite(...); got {client!r:.80}{hint}"
        )


def check_kind(name: str, value: Any, kind: type) -> None:
    """Raise ConfigError if an optional value is not an instance of its class."""
    if value is not None and not isinstance(value, kind):
        raise ConfigError(f"{name} is {kind.__name__}(...); got {value!r:.80}")


def check_count(name: str, value: Any, least: int) -> None:
    """Raise ConfigError if a count is not a whole number of at least `least`."""
    if not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} is a whole number from {least} on; got {value!r:.80}")
