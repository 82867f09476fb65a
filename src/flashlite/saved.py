"""Saved JSON files: written whole or not at all, with the version of their format."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError, StoreError
from .types import PARAMS
from .whole_file import whole_file


def to_json(value: Any, *, what: str) -> str:
    """Return a value as JSON text; raises ConfigError if it has anything that JSON cannot hold."""
    try:
        return json.dumps(value, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"a {what} is saved as JSON, all that is in it too: {error}") from error


def from_json(text: str | bytes, *, what: str) -> Any:
    """Read JSON text; raises ConfigError if it is not valid."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"this is no saved {what}: {error}") from error


def write_file(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file, whole or not at all; raises StoreError if that fails."""
    try:
        with whole_file(Path(path)) as file:
            file.write(text.encode())
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Read a file; raises StoreError if that fails."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


def check_version(version: Any, newest: int, *, what: str) -> None:
    """Raise ConfigError if this flashlite does not know the version of a saved file."""
    if isinstance(version, int) and version > newest:
        raise ConfigError(
            f"this {what} was saved by a newer flashlite (form {version}; this one reads up to "
            f"{newest}): upgrade flashlite"
        )
    if not isinstance(version, int) or version < 1:
        raise ConfigError(f"this is no saved {what}: its version is {version!r:.20}")


def options_in(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call options to save: no keys or addresses, which the loading code supplies.

    Options that are not JSON, such as callbacks and tools, are left out; parameters of the model
    never are.
    """
    return {
        name: value
        for name, value in options.items()
        if name not in _WHOEVER_LOADS and (name in PARAMS or _is_json(value))
    }


_WHOEVER_LOADS = frozenset({"api_key", "base_url", "extra_body", "extra_headers"})


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
