"""Finding files of the installed litellm without importing it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def find_file(*parts: str) -> Path | None:
    """Return a file in litellm's folder, or None if litellm or the file is missing."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    return path if path.is_file() else None
