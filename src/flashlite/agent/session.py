"""Sessions: an agent as a file, to go on another day."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .. import saved
from ..errors import ConfigError

VERSION = 1
"""The form that is written; every older one is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """All of an agent but its client and its tools, of which there are the names, as JSON."""

    conversation: dict[str, Any]
    config: dict[str, Any]
    tools: list[str]
    options: dict[str, Any]
    name: str | None = None
    model: str | None = None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file, whole or not at all; raises ConfigError for what JSON cannot say."""
        members = {one.name: getattr(self, one.name) for one in fields(self)}
        session = {"flashlite_session": VERSION, **members}
        saved.write_file(path, saved.to_json(session, what="session"))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Session:
        """Read a file that `write` wrote; raises ConfigError where it is something else."""
        content = saved.read_file(path)
        try:
            found = saved.from_json(content, what="session")
            version = found.get("flashlite_session") if isinstance(found, dict) else None
            saved.check_version(version, VERSION, what="session")
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        if not _is_whole(found):
            raise ConfigError(f"{path}: this is no saved session")
        return cls(**{one.name: found[one.name] for one in fields(cls) if one.name in found})

    def check_tools(self, names: Iterable[str]) -> None:
        """Raise ConfigError, naming them, where tools of the session are missing."""
        if missing := sorted(set(self.tools) - set(names)):
            raise ConfigError(
                f"the session had tools that are not given: {', '.join(missing)}: "
                "load_session(path, tools=[...])"
            )


def _is_whole(found: Mapping[str, Any]) -> bool:
    wanted = {"conversation": dict, "config": dict, "options": dict, "tools": list}
    has_all = all(isinstance(found.get(name), kind) for name, kind in wanted.items())
    return has_all and all(isinstance(name, str) for name in found["tools"])
