"""A budget's spending in a file, which outlives the process and which processes may share.

One JSON object per line: `{"id": …, "reserved": …}` before a call is sent and `{"id": …, "spent":
…}` when its cost is known, in 10⁻¹² dollars. Each line is written immediately, so what a killed
process had reserved counts as spent. A write takes microseconds, so no thread is used for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


class SpendFile:
    """The lines of one budget; `others` is what other processes spent or have reserved."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.others = 0
        self._path = Path(path).expanduser().absolute()
        self._descriptor: int | None = None
        self._process = 0
        self._offset = 0
        self._torn = b""
        self._mine: set[str] = set()
        self._reserved: dict[str, int] = {}

    @property
    def held(self) -> list[int]:
        """What is reserved for each call of other processes that run, or were killed."""
        return list(self._reserved.values())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lock other processes out and read their lines."""
        from fcntl import LOCK_EX, LOCK_UN, flock

        descriptor = self._open()
        flock(descriptor, LOCK_EX)
        try:
            self.refresh()
            yield
        finally:
            flock(descriptor, LOCK_UN)

    def refresh(self) -> None:
        """Read the lines written since the last time."""
        descriptor = self._open()
        while block := os.pread(descriptor, 1 << 20, self._offset):
            self._offset += len(block)
            *lines, self._torn = (self._torn + block).split(b"\n")
            for line in lines:
                self._read(line)

    def reserve(self, amount: int) -> str:
        """Record what a call may cost, and return the id of the line."""
        name = token_hex(8)
        self._mine.add(name)
        self._write({"id": name, "reserved": amount})
        return name

    def spend(self, name: str, cost: int) -> None:
        """Record what a call cost."""
        self._write({"id": name, "spent": cost})

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            name, reserved, spent = entry["id"], entry.get("reserved"), entry.get("spent")
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # torn when its process was killed; nothing was sent for it
        if name in self._mine:
            if isinstance(spent, int):
                self._mine.discard(name)
        elif isinstance(reserved, int):
            self._reserved[name] = reserved
            self.others += reserved
        elif isinstance(spent, int):
            self.others += spent - self._reserved.pop(name, 0)

    def _write(self, entry: dict[str, str | int]) -> None:
        # The leading newline separates it from a line that a full disk or a kill left incomplete.
        line = b"\n" + json.dumps(entry).encode() + b"\n"
        if os.write(self._open(), line) < len(line):
            raise OSError("the disk is full")

    def _open(self) -> int:
        if self._descriptor is None or self._process != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o644)
            # A forked child reopens the file, because parent and child would share one lock.
            self._process, self._offset, self._torn = os.getpid(), 0, b""
            self.others = 0
            self._mine.clear()
            self._reserved.clear()
        return self._descriptor

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
