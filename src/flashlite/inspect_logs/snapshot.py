"""Archives out of record streams: one that grows on beside them, and the last one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..whole_file import whole_file
from .record_stream import RecordStream

_PIECE = 1 << 20  # bytes


def publish(stream: RecordStream, size: int, directory: bytes, path: Path) -> None:
    """Put an archive of the first `size` bytes of a stream at a path, in one step.

    Whoever reads there sees the archive before or this one, never a part. Folders that somebody
    removed are made again.
    """
    with whole_file(path, draft=draft_of(path)) as file:
        _copy(stream.file.fileno(), file.fileno(), size)
        file.seek(size)
        file.write(directory)


def finish(stream: RecordStream, part: Path, path: Path) -> None:
    """Make the stream's own file the archive; it takes no more records."""
    try:
        stream.seal()
        part.replace(path)
    except OSError:  # the disk is full, or the folder is gone: what was written is still open here
        os.ftruncate(stream.file.fileno(), stream.size)
        publish(stream, stream.size, stream.directory(), path)
        with suppress(OSError):
            part.unlink()


def draft_of(path: Path) -> Path:
    """Return where an archive is made before it is put at its path."""
    return path.with_name(f".{path.name}.draft")


def _copy(source: int, target: int, size: int) -> None:
    """Copy the first bytes of a file, in the kernel where it can."""
    done = 0
    with suppress(AttributeError, OSError):  # not on this system, or not on this file system
        while done < size:
            copied = os.copy_file_range(source, target, size - done, done, done)
            if not copied:
                break
            done += copied
    while done < size:
        piece = os.pread(source, min(_PIECE, size - done), done)
        if not piece:
            raise OSError("a log in the making was cut by somebody else")
        done += os.pwrite(target, piece, done)
