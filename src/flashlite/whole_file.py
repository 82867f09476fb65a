"""A file that appears only when it is completely written."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, draft: Path | None = None) -> Generator[BinaryIO]:
    """Open a file for writing; at the end of the block it moves to `path` in one step.

    A reader of `path` sees the old file or the new one, never a part. If the block fails, nothing
    is left of the new file; a killed process leaves its draft, a hidden file beside it. Missing
    folders are created. Raises OSError.
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
