"""Processes, on one machine or many, that share limits and a budget in one Redis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from ..errors import ConfigError
from ..stores import RedisServer, Script


class RedisPool:
    """All who name the same Redis and the same `name`.

    Without a `url` REDIS_URL says where Redis is. When Redis cannot be reached, nothing is sent: a
    call waits, and fails with a `StoreError` after an outage of `patience` seconds. With
    `fail_open` a process goes on by its own limits instead, as if it were alone; a budget is never
    open. Either is said once in the log.

    Redis may lose what it holds: processes tell it again what they saw last. A process that dies is
    out of the line after seconds.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        name: str = "default",
        fail_open: bool = False,
        patience: float = 60.0,
    ) -> None:
        if not patience >= 0:
            raise ConfigError(f"patience is a number of seconds; got {patience!r:.80}")
        self.name = name
        self.fail_open = fail_open
        self.patience = patience
        self._server = RedisServer(url, connections=4)

    async def run(self, script: Script, what: str, argument: Any) -> Any:
        """Run a script on what the pool shares under a name, with JSON there and back."""
        import orjson

        # The braces keep all keys of one thing together in a cluster.
        keys = [f"flashlite:{{{self.name}:{what}}}:{part}" for part in ("state", "queue", "more")]
        answer = await self._server.run(script, keys, [orjson.dumps(argument)])
        return orjson.loads(answer)

    async def aclose(self) -> None:
        """Close the running loop's connections; the next call opens them again."""
        await self._server.aclose()


def digest(parts: Sequence[str]) -> str:
    """Return a short name for several strings that are nobody's business."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


@cache
def script(name: str) -> Script:
    """Return a script of this folder; all begin with the taking of turns."""
    folder = files(__name__.rpartition(".")[0])
    texts = [folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("turns", name)]
    return Script("\n".join(texts))
