"""Directories of template files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePath

from ..errors import ConfigError

SUFFIXES = (".jinja", ".jinja2", ".j2", ".txt", ".md")


class TemplateFiles:
    """The templates in some directories; for each name, the first directory that has it wins.

    "agents/critic" is the file `agents/critic`, or that with one of `SUFFIXES`, in their order.
    """

    def __init__(self, directories: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]):
        if isinstance(directories, str | os.PathLike):
            directories = [directories]
        self._directories = [Path(directory) for directory in directories]

    def find(self, name: str) -> str | None:
        """Return a template's path, None if there is none; names cannot leave the directories."""
        parts = PurePath(name)
        if parts.anchor or ".." in parts.parts:
            return None
        for directory in self._directories:
            if not directory.is_dir():
                raise ConfigError(f"template_dir {str(directory)!r} is not a directory")
            for suffix in ("", *SUFFIXES):
                path = os.path.join(directory, name + suffix)
                if os.path.isfile(path):
                    return path
        return None

    def names(self) -> set[str]:
        """Return the names of all files that end in one of `SUFFIXES`, without that ending."""
        return {
            path.relative_to(directory).with_suffix("").as_posix()
            for directory in self._directories
            for path in directory.rglob("*")
            if path.suffix in SUFFIXES and path.is_file()
        }
