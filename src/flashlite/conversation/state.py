"""A conversation as a value that can be saved and loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from .. import saved
from ..errors import ConfigError

VERSION = 1
"""The version of the format written; all older versions can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationState:
    """A conversation as JSON, without its client.

    `messages` are all messages, including the system message; `system_prompt` is the content of
    that. `config` has the fields of a `ConversationConfig`, `options` the call options that are
    JSON: tools, keys and addresses are not saved and have to be given again.
    """

    id: str = ""
    system_prompt: Any = None
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    model: str | None = None
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    summary: dict[str, Any] | None = None
    version: int = VERSION

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `model_dump()` returned; raises ConfigError for anything else."""
        if not isinstance(data, Mapping) or not isinstance(data.get("messages"), list):
            raise no_saved("conversation", data)
        saved.check_version(data.get("version", VERSION), VERSION, what="conversation")
        known: dict[str, Any] = {n: data[n] for n in cls.__dataclass_fields__ if n in data}
        for name in ("config", "options", "metadata"):
            if not isinstance(known.get(name, {}), Mapping):
                raise ConfigError(f"this is no saved conversation: {name} is no object")
        known["version"] = VERSION
        return cls(**known)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json()` returned."""
        return cls.from_dict(saved.from_json(text, what="conversation"))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `write()` wrote."""
        content = saved.read_file(path)
        try:
            return cls.from_json(content)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file, whole or not at all."""
        saved.write_file(path, self.to_json())

    def model_dump(self) -> dict[str, Any]:
        """Return the state as a dict of plain JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the state as JSON text; raises ConfigError for values that JSON cannot hold."""
        return saved.to_json(self.model_dump(), what="conversation")


def no_saved(what: str, data: Any) -> ConfigError:
    """Return the error for saved data of another kind, naming what reads that kind."""
    for key, (kind, reader) in _READERS.items():
        if kind != what and isinstance(data, Mapping) and key in data:
            return ConfigError(f"this is a saved {kind}, not a {what}: {reader} reads it")
    return ConfigError(f"this is no saved {what}: {data!r:.80}")


_READERS = {
    "agents": ("chat", "MultiAgentChat.load"),
    "tools": ("session", "Agent.load_session"),
    "messages": ("conversation", "Conversation.load"),
}
"""Kinds of saved data, by a key that only they have."""
