"""Processes of one machine that share limits and a budget in one file, without a server."""

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
    """All processes of this machine that name the same file and the same `name`.

    It does what a `RedisPool` does. The file is on a disk of this machine: processes of two
    machines that share a folder over a network are not supported, for neither SQLite's locks nor
    their clocks hold there. A file that cannot be used is what a Redis is that cannot be reached:
    calls wait for `patience` seconds, or, with `fail_open`, a process goes on by its own limits.

    A process may be killed at any moment. What a cut of the power may cost is the last half minute
    of what was spent.
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
        return self._file.name

    @property
    def path(self) -> Path:
        """The file; it is made when somebody uses the pool."""
        return self._file.path

    async def ask(self, room: str, said: dict[str, Any]) -> dict[str, Any]:
        """Do an exchange in a thread, while no other process does."""
        exchange = _EXCHANGES[room.partition(":")[0]]
        return await self._file.change(
            self._prefix + room, partial(_in_its_time, exchange, said, self._clock)
        )

    async def rooms(self) -> list[str]:
        """Return the rooms of the pool that anybody was in."""
        names = await self._file.names()
        prefix = self._prefix
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        await self._file.aclose()


def _in_its_time(
    exchange: Exchange, said: dict[str, Any], clock: Callable[[], float], state: State
) -> dict[str, Any]:
    """Do an exchange in the time of its room.

    That time goes with the machine's monotonic clock, which is the same in all its processes. So
    nobody who sets the clock makes a minute shorter. After a restart of the machine, what has gone
    by since then is all that is known to have gone by.
    """
    ticks = clock()
    passed = ticks - state.get("ticks", ticks)
    state["time"] = state.get("time", time.time()) + (passed if passed >= 0 else max(0.0, ticks))
    state["ticks"] = ticks
    return exchange(state, said, state["time"])
