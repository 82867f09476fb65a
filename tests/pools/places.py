"""Where a pool may be: a Redis, or a file. A test can take it down, and let time pass there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from flashlite import RedisPool, SQLitePool
from flashlite.middleware import Pool
from flashlite.middleware.pool import SharedMinute

from ..services.servers import RedisProcess


class Place(Protocol):
    """A place for pools; what comes back after it was down has forgotten everything."""

    address: str
    rest: float
    """Seconds after which everybody who has something to say has noticed that it is back."""

    def pool(self, name: str, **options: Any) -> Pool: ...

    def go_down(self) -> None: ...

    def come_back(self) -> None: ...

    async def pass_time(self, name: str, room: str, seconds: float) -> None:
        """Make what a room counts older."""
        ...


class RedisPlace:
    """A Redis; one that is shared by tests has no process here, and stays up."""

    rest = 1.5

    def __init__(self, url: str, process: RedisProcess | None = None) -> None:
        self.address = url
        self._process = process

    def pool(self, name: str, **options: Any) -> RedisPool:
        return RedisPool(self.address, name=name, **options)

    def go_down(self) -> None:
        assert self._process is not None
        self._process.kill()

    def come_back(self) -> None:
        assert self._process is not None
        self._process.start()

    async def pass_time(self, name: str, room: str, seconds: float) -> None:
        pool = self.pool(name)
        async with pool._server.client() as client:
            state = f"flashlite:{{{name}}}:{room}:state"
            ticks: Any = await client.hget(state, "ticks")
            await client.hset(state, "ticks", str(float(ticks) - seconds))
        await pool.aclose()


class FilePlace:
    """A file in a folder of its own."""

    rest = 0.5

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "pool"
        self.address = f"sqlite:{self._folder / 'pool.db'}"

    def pool(self, name: str, **options: Any) -> SQLitePool:
        return SQLitePool(self._folder / "pool.db", name=name, **options)

    def go_down(self) -> None:
        """Put something that is no folder where the folder was."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.write_text("")

    def come_back(self) -> None:
        self._folder.unlink()

    async def pass_time(self, name: str, room: str, seconds: float) -> None:
        def age(state: dict[str, Any]) -> None:
            state["ticks"] -= seconds

        pool = self.pool(name)
        await pool._file.change(pool._prefix + room, age)
        await pool.aclose()


async def let_pass(place: Place, room: SharedMinute, seconds: float) -> None:
    """Make what a minute counts older."""
    await place.pass_time(room._pool.name, room.room, seconds)
