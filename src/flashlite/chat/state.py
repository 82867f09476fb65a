"""A chat as a value that can be saved and loaded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from .. import saved
from ..agent.session import Session
from ..conversation.state import no_saved
from ..errors import ConfigError

VERSION = 1
"""The version of the format written; all older versions can be read."""

Source = str | os.PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatState:
    """A chat as JSON, without clients and callbacks, and with only the names of tools."""

    agents: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    model: str | None = None
    max_iterations: int | None = None
    introduction: str = ""
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    share_tools: bool = False
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    version: int = VERSION

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `model_dump()` returned; raises ConfigError for anything else."""
        if not isinstance(data, Mapping) or "agents" not in data:
            raise no_saved("chat", data)
        saved.check_version(data.get("version"), VERSION, what="chat")
        if not _is_whole(data):
            raise no_saved("chat", data)
        for agent in data["agents"]:
            Session.from_dict(agent)
        return cls(**{one.name: data[one.name] for one in fields(cls) if one.name in data})

    def check_tools(self, given: Iterable[str]) -> None:
        """Raise ConfigError if the agents had tools that are not among those given."""
        if missing := {name for agent in self.agents for name in agent["tools"]} - set(given):
            raise ConfigError(
                f"the agents had tools that are not given: {', '.join(sorted(missing))}: "
                "tools=[...]"
            )

    def model_dump(self) -> dict[str, Any]:
        """Return the state as a dict of plain JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the state as JSON text; raises ConfigError for values that JSON cannot hold."""
        return saved.to_json(self.model_dump(), what="chat")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file, whole or not at all."""
        saved.write_file(path, self.to_json())


def read_state(source: Source | ChatState) -> ChatState:
    """Return the state from a file or a dict, or the state itself."""
    if isinstance(source, ChatState):
        return source
    if isinstance(source, Mapping):
        return ChatState.from_dict(source)
    content = saved.read_file(source)
    try:
        return ChatState.from_dict(saved.from_json(content, what="chat"))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def _is_whole(data: Mapping[str, Any]) -> bool:
    agents, entries = data.get("agents"), data.get("entries")
    return (
        isinstance(agents, list)
        and isinstance(entries, list)
        and all(isinstance(one, Mapping) and {"author", "content"} <= one.keys() for one in entries)
    )
