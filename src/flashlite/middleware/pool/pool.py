"""What every pool does: run an exchange of a room, alone, and return the answer."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from ...errors import ConfigError


class Pool(Protocol):
    """All processes that name the same place and the same `name`.

    Of a place that is down the pool's lines say so once in the log. With `fail_open` a process then
    goes on by its own limits; else a call waits, and fails after `patience` seconds.
    """

    name: str
    fail_open: bool
    patience: float

    @property
    def place(self) -> str:
        """What the log calls the place where the pool is: "Redis", or a file."""
        ...

    async def ask(self, room: str, said: dict[str, Any]) -> dict[str, Any]:
        """Do one exchange of a room; `said` and what returns are described in `minute` and `purse`.

        A room is "purse", or "minute:" and a name. Raises StoreError where the place is down.
        """
        ...

    async def rooms(self) -> list[str]:
        """Return the rooms of the pool."""
        ...

    async def aclose(self) -> None:
        """Close what the running loop holds; the next call opens it again."""
        ...


def checked_patience(patience: float) -> float:
    """Return a number of seconds to bear an outage for, or refuse it."""
    if not patience >= 0:
        raise ConfigError(f"patience is a number of seconds; got {patience!r:.80}")
    return patience


def digest(parts: Sequence[str]) -> str:
    """Return a short name for several strings that are nobody's business."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def speaker() -> tuple[str, int, str]:
    """Return who this process is: its machine, its number and the name of its program."""
    return _machine(), os.getpid(), _program()


@cache
def _machine() -> str:
    return socket.gethostname()


@cache
def _program() -> str:
    name = Path(sys.argv[0] if sys.argv else "").name or "python"
    return name.encode(errors="replace").decode()  # a file's name may be bytes that are no text
