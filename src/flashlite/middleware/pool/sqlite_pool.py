"""A pool in a SQLite file, for processes of one machine, without a server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...errors import ConfigError
from ...stores import State, StateFile
from .minute import exchange_minute
from .pool import checked_patience
from .purse import exchange_purse

Exchange = Callable[[State, dict[str, Any], float], dict[str, Any]]

_EXCHANGES: dict[str, Exchange] = {"minute": exchange_minute, "purse": exchange_purse}


class SQLitePool:
    """Limits and a budget shared by all local processes that use the same file and `name`.

    It works like a `RedisPool`. The file must be on a local disk: processes of two machines that
    share a network folder are not supported, because neither SQLite's locks nor the clocks work
    there. An unusable file is treated like an unreachable Redis: calls wait for `patience` seconds,
    or, with `fail_open`, each process applies its own limits.

    A process may be killed at any time. A power failure may lose at most the last half minute of
    recorded spending.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "default",
        fail_open: bool = False,
        patience: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not os.fspath(path):
            raise ConfigError("where is the pool? SQLitePool('pool.db')")
        self.name = name
        self.fail_open = fail_open
        self.patience = checked_patience(patience)
        self._clock = clock
        self._file = StateFile(path)
        self._prefix = quote(name, safe="") + ":"

    @property
    def place(self) -> str:
        """The name of the file in the log."""
        return self._file.name

    @property
    def path(self) -> Path:
        """The file, which is created when the pool is first used."""
        return self._file.path

    async def ask(self, room: str, said: dict[str, Any]) -> dict[str, Any]:
        """Run an exchange in a thread, with other processes locked out."""
        exchange = _EXCHANGES[room.partition(":")[0]]
        return await self._file.change(
            self._prefix + room, partial(_in_its_time, exchange, said, self._clock)
        )

    async def rooms(self) -> list[str]:
        """Return the pool's rooms that have been used."""
        names = await self._file.names()
        prefix = self._prefix
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        await self._file.aclose()


def _in_its_time(
    exchange: Exchange, said: dict[str, Any], clock: Callable[[], float], state: State
) -> dict[str, Any]:
    """Run an exchange in the room's own time.

    That time follows the machine's monotonic clock, which all its processes share, so setting the
    wall clock does not shorten a minute. After a restart of the machine, only the time since the
    restart is known to have passed.
    """
    ticks = clock()
    passed = ticks - state.get("ticks", ticks)
    state["time"] = state.get("time", time.time()) + (passed if passed >= 0 else max(0.0, ticks))
    state["ticks"] = ticks
    return exchange(state, said, state["time"])
