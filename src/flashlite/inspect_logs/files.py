"""Where the files of a log are, and which process owns them while it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PART, _LOG = ".eval.part", ".eval"


@dataclass(frozen=True)
class Paths:
    """The files of one log: all but the log itself are removed when it is finished."""

    folder: Path
    stem: str

    @property
    def log(self) -> Path:
        return self.folder / f"{self.stem}{_LOG}"

    @property
    def part(self) -> Path:
        """The record stream that becomes the log."""
        return self.folder / f".{self.stem}{_PART}"

    @property
    def journal(self) -> Path:
        """The journal of what running samples have so far."""
        return self.folder / f".{self.stem}.running.jsonl"

    @property
    def live(self) -> Path:
        """Where Inspect's viewer looks for running samples."""
        return self.folder / ".buffer" / self.stem


def in_the_making(folder: Path) -> Iterator[Paths]:
    """Yield the logs in a folder that are not finished."""
    for part in sorted(folder.glob(f".*{_PART}")):
        yield Paths(folder, part.name[1 : -len(_PART)])


def hold(path: Path) -> BinaryIO:
    """Create a file that this process owns until it closes the file or dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # It gets its name only when locked, so that it is never taken for one left behind.
    draft = path.with_name(f"{path.name}.new")
    file = draft.open("x+b")
    try:
        with suppress(OSError):  # a file system without locks: nothing is ever taken over there
            _lock(file)
        draft.rename(path)
    except OSError:
        file.close()
        draft.unlink(missing_ok=True)
        raise
    return file


def take_over(path: Path) -> BinaryIO | None:
    """Open and own a file that its owner left behind; None while it has an owner."""
    try:
        file = path.open("r+b")
    except OSError:  # it was finished meanwhile, or belongs to another user
        return None
    with suppress(OSError):  # it has an owner, or another process was faster
        _lock(file)
        if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            return file
    file.close()
    return None


def _lock(file: BinaryIO) -> None:
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
