"""Sessions: an agent saved as a value, to continue later."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from .. import saved
from ..conversation import Conversation
from ..conversation.state import no_saved
from ..errors import ConfigError
from .config import AgentConfig

VERSION = 1
"""The version of the format written; all older versions can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An agent as JSON, without its client, and with only the names of its tools."""

    conversation: dict[str, Any]
    config: dict[str, Any]
    tools: list[str]
    options: dict[str, Any]
    name: str | None = None
    model: str | None = None

    @classmethod
    def from_dict(cls, found: Any) -> Self:
        """Read what `to_dict()` returned; raises ConfigError for anything else."""
        if not isinstance(found, Mapping) or not _is_whole(found):
            raise no_saved("session", found)
        return cls(**{one.name: found[one.name] for one in fields(cls) if one.name in found})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file that `write` wrote; raises ConfigError for any other file."""
        content = saved.read_file(path)
        try:
            found = saved.from_json(content, what="session")
            if not isinstance(found, dict) or "flashlite_session" not in found:
                raise no_saved("session", found)
            saved.check_version(found["flashlite_session"], VERSION, what="session")
            return cls.from_dict(found)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file, whole or not at all; raises ConfigError for values that are not JSON."""
        session = {"flashlite_session": VERSION, **self.to_dict()}
        saved.write_file(path, saved.to_json(session, what="session"))

    def to_dict(self) -> dict[str, Any]:
        """Return the session as a dict."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def arguments(self, tools: Iterable[str]) -> dict[str, Any]:
        """Return the arguments for the agent; raises ConfigError if `tools` lacks a saved tool."""
        if missing := sorted(set(self.tools) - set(tools)):
            raise ConfigError(
                f"{self.name or 'the agent'} had tools that are not given: {', '.join(missing)}: "
                "tools=[...]"
            )
        try:
            config = AgentConfig(**self.config)
        except TypeError as error:
            raise ConfigError(f"this is no saved session of an agent: {error}") from error
        conversation = Conversation.from_dict(self.conversation)
        made = {"name": self.name, "model": self.model, "config": config}
        return {**made, "conversation": conversation, **self.options}


def _is_whole(found: Mapping[str, Any]) -> bool:
    wanted = {"conversation": dict, "config": dict, "options": dict, "tools": list}
    has_all = all(isinstance(found.get(name), kind) for name, kind in wanted.items())
    return has_all and all(isinstance(name, str) for name in found["tools"])
