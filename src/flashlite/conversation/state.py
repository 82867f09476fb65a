"""A conversation as a value: what is written down and read back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import ConfigError, StoreError

VERSION = 1
"""The form that is written; every older one is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationState:
    """All of a conversation but its client, as JSON.

    `messages` are all messages, with the system message; `system_prompt` is what that says.
    `config` are the fields of a `ConversationConfig`, `options` the call options that are JSON:
    tools and callbacks have to be given again, and keys and headers are never written down.
    """

    id: str
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
        """Read what `model_dump()` wrote; raises ConfigError where that is something else."""
        version = data.get("version", VERSION) if isinstance(data, Mapping) else None
        if not isinstance(version, int) or not isinstance(data.get("messages"), list):
            raise ConfigError(f"this is no saved conversation: {data!r:.80}")
        if version > VERSION:
            raise ConfigError(
                f"this conversation was saved by a newer flashlite (form {version}; this one "
                f"reads up to {VERSION}): upgrade flashlite"
            )
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        return cls(**{"id": "", **known})

    def model_dump(self) -> dict[str, Any]:
        """Return the state as a dict that is JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the state as JSON text; raises ConfigError where something in it is no JSON."""
        try:
            return json.dumps(self.model_dump(), indent=1)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the messages and metadata of a conversation are JSON: {error}")


def read_state(path: str | os.PathLike[str]) -> ConversationState:
    """Read a file that `write_state` wrote."""
    try:
        return ConversationState.from_dict(json.loads(Path(path).read_bytes()))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: this is no saved conversation: {error}") from error


def write_state(state: ConversationState, path: str | os.PathLike[str]) -> None:
    """Write a file, whole or not at all."""
    path = Path(path)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    text = state.to_json()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreError(f"{path}: {error.strerror or error}") from error
