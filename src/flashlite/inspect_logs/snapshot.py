"""Making archives from record streams: snapshots beside a stream, and the final one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..whole_file import whole_file
from .record_stream import RecordStream

_PIECE = 1 << 20  # bytes


def publish(stream: RecordStream, size: int, directory: bytes, path: Path) -> None:
    """Put an archive of the first `size` bytes of a stream at a path, atomically.

    A reader sees the previous archive or this one, never a part. Missing folders are created.
    """
    with whole_file(path, draft=draft_of(path)) as file:
        _copy(stream.file.fileno(), file.fileno(), size)
        file.seek(size)
        file.write(directory)


def finish(stream: RecordStream, part: Path, path: Path) -> None:
    """Turn the stream's own file into the archive; it takes no more records."""
    try:
        stream.seal()
        part.replace(path)
    except OSError:  # full disk or missing folder: the records are still readable here
        os.ftruncate(stream.file.fileno(), stream.size)
        publish(stream, stream.size, stream.directory(), path)
        with suppress(OSError):
            part.unlink()


def draft_of(path: Path) -> Path:
    """Return where an archive is written before it is moved to its path."""
    return path.with_name(f".{path.name}.draft")


def _copy(source: int, target: int, size: int) -> None:
    """Copy the first `size` bytes of a file, in the kernel if possible."""
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
