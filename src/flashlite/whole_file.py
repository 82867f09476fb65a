"""A file that appears when all of it is written."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, draft: Path | None = None) -> Generator[BinaryIO]:
    """Open a file to write; it takes its place at the end of the block, in one step.

    Whoever reads at `path` sees the file before or this one, never a part. Nothing is left of a
    file whose block fails; a killed process leaves its draft, a hidden file beside it. Folders are
    made. Raises OSError.
    """
    draft = draft or path.with_name(f".{uuid.uuid4().hex}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
