"""What stands in a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def lines(checkpoint: Path | bytes) -> list[dict[str, Any]]:
    """Return all lines but the head."""
    content = checkpoint if isinstance(checkpoint, bytes) else checkpoint.read_bytes()
    return [json.loads(line) for line in content.splitlines()[1:]]


def kinds(checkpoint: Path) -> list[str]:
    """Return what kinds of lines there are, in order."""
    return [line["kind"] for line in lines(checkpoint)]


def read(path: Path) -> str:
    """Return the whole text of a file."""
    return path.read_text()


def write(path: Path, text: str) -> None:
    """Put a text into the place of what there is."""
    path.write_text(text)


def folder(path: Path) -> list[Path]:
    """Return what there is beside a file."""
    return list(path.parent.iterdir())
