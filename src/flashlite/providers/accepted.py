"""Parameters that a provider does not take: left out and reported once, or an error."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Set
from typing import Any

from ..errors import ConfigError
from ..types import CompletionRequest, Message, Role

log = logging.getLogger("flashlite.providers")


def accepted(
    request: CompletionRequest, refuses: Set[str], *, name: str, reported: set[str]
) -> CompletionRequest:
    """Leave out parameters that a provider refuses: log each once, or raise under strict_params."""
    refused = refuses & request.params.keys()
    if not refused:
        return request
    if "n" in refused:
        require_one(request.params, name)
    _report(refused, strict=request.strict_params, name=name, reported=reported)
    params = {name: value for name, value in request.params.items() if name not in refused}
    return request.with_(params=params)


def require_one(params: Mapping[str, Any], name: str) -> None:
    """Raise ConfigError for more than one answer, where a provider cannot be asked for several."""
    if params.get("n", 1) != 1:
        raise ConfigError(
            f"{name} gives one answer to a request: instead of n, ask with sample=0, 1, ... or "
            "complete_many"
        )


def named(
    request: CompletionRequest, roles: Set[str], *, name: str, reported: set[str]
) -> CompletionRequest:
    """Leave out the names of messages whose roles may not have one.

    The name of a tool result is not needed, because its id identifies the call.
    """
    refused = {m["role"] for m in request.messages if "name" in m} - roles
    if not refused:
        return request
    lost = {f"the name of a message by the {role}" for role in refused - {Role.TOOL.value}}
    _report(lost, strict=request.strict_params, name=name, reported=reported)
    return request.with_(messages=tuple(_unnamed(m, refused) for m in request.messages))


def _unnamed(message: Message, roles: Set[str]) -> Message:
    if message["role"] not in roles:
        return message
    return Message({key: value for key, value in message.items() if key != "name"})


def _report(refused: Iterable[str], *, strict: bool, name: str, reported: set[str]) -> None:
    if refused and strict:
        raise ConfigError(f"{name} does not take {', '.join(sorted(refused))}; leave it out")
    if new := set(refused) - reported:
        reported.update(new)
        log.warning("%s does not take %s: not sent (reported once)", name, ", ".join(sorted(new)))
