"""An append-only file of lines for one process at a time, which a kill cannot corrupt."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from ..errors import ConfigError, StoreError
from ..saved import check_version

_SYNC_INTERVAL = 1.0  # seconds
_PAGE = 1 << 14  # bytes


class Journal:
    """Lines in a file, which is locked until it is closed or the process dies.

    The file and its folders are created if missing. `append` returns when the operating system has
    the line, so a kill after that does not lose it. Lines are flushed to disk once a second
    (`sync`) and at the end, so a power cut may lose what came after. An incomplete last line, left
    by a kill, is removed. The first line has the `kind` of the file and the `version` of its
    format.
    """

    _descriptor: int | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        kind: str,
        version: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self._clock, self._synced = clock, clock()
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o644)
        with self._explained(), ExitStack() as unless_begun:
            unless_begun.callback(self._let_go)
            self._lock(self._descriptor)
            self._size = os.fstat(self._descriptor).st_size
            self._begin(kind, version)
            self._end_last_line()
            unless_begun.pop_all()

    def append(self, line: bytes) -> int:
        """Write a line, given without its line feed, and return its offset.

        If that fails, raises StoreError and leaves the file as it was.
        """
        offset, left = self._size, memoryview(line + b"\n")
        with self._explained():
            descriptor = self._open()
            try:
                while left:
                    left = left[os.write(descriptor, left) :]
            except OSError:
                os.ftruncate(descriptor, offset)
                raise
        self._size = offset + len(line) + 1
        return offset

    def read(self, offset: int) -> bytes:
        """Return the line that begins at an offset."""
        line = b""
        with self._explained():
            while not line.endswith(b"\n"):
                page = os.pread(self._open(), max(_PAGE, len(line)), offset + len(line))
                if not page:
                    raise StoreError(f"{self.path} was changed by somebody else while it was used")
                line += page[: page.find(b"\n") + 1] or page
        return line

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the offset and text of every line after the first."""
        with self._explained(), self.path.open("rb") as file:
            offset = len(file.readline())
            for line in file:
                yield offset, line
                offset += len(line)

    async def sync(self, *, at_once: bool = False) -> None:
        """Flush what was written to disk in a thread, at most once a second."""
        now = self._clock()
        if at_once or now - self._synced >= _SYNC_INTERVAL:
            self._synced = now
            with self._explained():
                await asyncio.to_thread(os.fsync, self._open())

    def flush(self) -> None:
        """Flush what was written to disk now."""
        with self._explained():
            os.fsync(self._open())

    def close(self) -> None:
        """Flush everything to disk, close the file and release its lock."""
        if self._descriptor is None:
            return
        from fcntl import LOCK_UN, flock

        try:
            with self._explained():
                os.fsync(self._descriptor)
                # Closing alone does not release the lock while a thread still runs fsync.
                flock(self._descriptor, LOCK_UN)
        finally:
            self._let_go()

    def __del__(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is None:
            raise StoreError(f"{self.path} is closed")
        return self._descriptor

    def _lock(self, descriptor: int) -> None:
        from fcntl import LOCK_EX, LOCK_NB, flock

        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{self.path} is being written by another batch: wait for it, or give this one a "
                "checkpoint of its own"
            ) from None

    def _begin(self, kind: str, version: int) -> None:
        """Write the first line of a new file; raise ConfigError for a file of another kind."""
        head = json.dumps({"kind": kind, "version": version}).encode()
        found = os.pread(self._open(), _PAGE, 0).partition(b"\n")[0]
        if self._size <= len(head) and head.startswith(found):  # new, or killed just here
            os.ftruncate(self._open(), 0)
            self._size = 0
            self.append(head)
            return
        known = _json(found)
        if not isinstance(known, dict) or known.get("kind") != kind:
            raise ConfigError(f"{self.path} is no {kind} of flashlite, and stays as it is")
        check_version(known.get("version"), version, what=kind)

    def _end_last_line(self) -> None:
        """Remove an incomplete last line; one that only lacks its line feed gets it."""
        start = end = self._size
        while start > 0 and b"\n" not in os.pread(self._open(), _PAGE, start):
            start = max(0, start - _PAGE)
        tail = os.pread(self._open(), end - start, start).rpartition(b"\n")[2]
        if not tail:
            return
        if _json(tail) is not None:
            os.write(self._open(), b"\n")
            self._size += 1
        else:
            self._size -= len(tail)
            os.ftruncate(self._open(), self._size)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror or error}") from error


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
