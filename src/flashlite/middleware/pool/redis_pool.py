"""A pool in Redis, for processes on one machine or many."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from ...stores import RedisServer, Script
from .pool import checked_patience


class RedisPool:
    """Limits and a budget shared by all processes that use the same Redis and `name`.

    Without a `url`, the address is read from REDIS_URL. While Redis cannot be reached, nothing is
    sent: a call waits, and fails with a `StoreError` after an outage of `patience` seconds. With
    `fail_open` a process applies its own limits instead, as if it were alone and had just started;
    a budget never fails open. Either is logged once.

    Redis may lose its data, or restart with older data: the running processes send it what they saw
    last. A process that dies leaves the line within seconds. Setting Redis's clock back blocks
    nobody; setting it forward shortens one minute.
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
        """Run the room's script in one round trip."""
        import orjson

        parts = ("state", "queue", "holders", "lines")
        keys = [*(self._key(f"{room}:{part}") for part in parts), self._key("rooms")]
        answer = await self._server.run(
            _script(room.partition(":")[0]), keys, [orjson.dumps(said), room]
        )
        found: dict[str, Any] = orjson.loads(answer)
        return found

    async def rooms(self) -> list[str]:
        """Return the pool's rooms that have been used."""
        async with self._server.client() as client:
            found: Any = await client.smembers(self._key("rooms"))
        return sorted(name.decode() for name in found)

    async def aclose(self) -> None:
        """Close the running loop's connections; the next call opens them again."""
        await self._server.aclose()

    def _key(self, part: str) -> str:
        # The braces put all keys of a pool on one node of a cluster.
        return f"flashlite:{{{self.name}}}:{part}"


@cache
def _script(name: str) -> Script:
    """Return a script of this folder, with `epoch.lua` and `turns.lua` in front."""
    folder = files(__name__.rpartition(".")[0])
    texts = [folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("epoch", "turns", name)]
    return Script("\n".join(texts))
