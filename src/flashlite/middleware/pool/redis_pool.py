"""Processes, on one machine or many, that share limits and a budget in one Redis."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from ...stores import RedisServer, Script
from .pool import checked_patience


class RedisPool:
    """All who name the same Redis and the same `name`.

    Without a `url` REDIS_URL says where Redis is. When Redis cannot be reached, nothing is sent: a
    call waits, and fails with a `StoreError` after an outage of `patience` seconds. With
    `fail_open` a process goes on by its own limits instead, as if it were alone and had just begun;
    a budget is never open. Either is said once in the log.

    Redis may lose what it holds, or come back with what it held a while ago: the processes that
    live tell it what they saw last. A process that dies is out of the line after seconds. Who sets
    Redis's clock back stops nothing; who sets it forward makes one minute shorter.
    """

    place = "Redis"

    def __init__(
        self,
        url: str | None = None,
        *,
        name: str = "default",
        fail_open: bool = False,
        patience: float = 60.0,
    ) -> None:
        self.name = name
        self.fail_open = fail_open
        self.patience = checked_patience(patience)
        self._server = RedisServer(url, connections=4)

    async def ask(self, room: str, said: dict[str, Any]) -> dict[str, Any]:
        """Run the room's script, in one round trip."""
        import orjson

        parts = ("state", "queue", "holders", "lines")
        keys = [*(self._key(f"{room}:{part}") for part in parts), self._key("rooms")]
        answer = await self._server.run(
            _script(room.partition(":")[0]), keys, [orjson.dumps(said), room]
        )
        found: dict[str, Any] = orjson.loads(answer)
        return found

    async def rooms(self) -> list[str]:
        """Return the rooms of the pool that anybody was in."""
        async with self._server.client() as client:
            found: Any = await client.smembers(self._key("rooms"))
        return sorted(name.decode() for name in found)

    async def aclose(self) -> None:
        """Close the running loop's connections; the next call opens them again."""
        await self._server.aclose()

    def _key(self, part: str) -> str:
        # The braces keep all keys of a pool together in a cluster.
        return f"flashlite:{{{self.name}}}:{part}"


@cache
def _script(name: str) -> Script:
    """Return a script of this folder; all begin with the room's epoch and the taking of turns."""
    folder = files(__name__.rpartition(".")[0])
    texts = [folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("epoch", "turns", name)]
    return Script("\n".join(texts))
