"""The pool protocol: run one exchange of a room atomically, and return the answer."""

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
    """Limits and a budget shared by all processes that use the same place and `name`.

    If the place is down, one warning is logged. With `fail_open` each process then applies its own
    limits; otherwise a call waits, and fails after `patience` seconds.
    """

    name: str
    fail_open: bool
    patience: float

    @property
    def place(self) -> str:
        """The name of the pool's place in the log: "Redis", or a file."""
        ...

    async def ask(self, room: str, said: dict[str, Any]) -> dict[str, Any]:
        """Run one exchange of a room; `minute` and `purse` describe `said` and the answer.

        A room is "purse", or "minute:" and a name. Raises StoreError if the place is down.
        """
        ...

    async def rooms(self) -> list[str]:
        """Return the rooms of the pool."""
        ...

    async def aclose(self) -> None:
        """Close what the running loop has open; the next call opens it again."""
        ...


def checked_patience(patience: float) -> float:
    """Return the seconds to wait during an outage; raise ConfigError if negative."""
    if not patience >= 0:
        raise ConfigError(f"patience is a number of seconds; got {patience!r:.80}")
    return patience


def digest(parts: Sequence[str]) -> str:
    """Return a short name for several strings without revealing them."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def speaker() -> tuple[str, int, str]:
    """Return this process's identity: its machine, process id and program name."""
    return _machine(), os.getpid(), _program()


@cache
def _machine() -> str:
    return socket.gethostname()


@cache
def _program() -> str:
    name = Path(sys.argv[0] if sys.argv else "").name or "python"
    return name.encode(errors="replace").decode()  # a file name may contain bytes that are not text
