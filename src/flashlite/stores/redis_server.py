"""A Redis server: one client per event loop, and errors without secrets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from .. import env
from ..errors import ConfigError
from .by_loop import ByLoop
from .server import Server

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisServer:
    """A Redis server, given by a URL or the variable REDIS_URL.

    A command fails after `timeout` seconds with a `StoreError`, and is never sent twice: callers
    repeat those that are safe to repeat. `connections` is the maximum per event loop.
    """

    def __init__(
        self, url: str | None = None, *, timeout: float = 5.0, connections: int = 32
    ) -> None:
        self._url = url or env.get("REDIS_URL") or ""
        if not self._url:
            raise ConfigError("where is Redis? Pass redis_url=... or set REDIS_URL")
        self._timeout = timeout
        self._connections = connections
        self._server = Server("Redis", self._url)
        self._clients: ByLoop[Redis] = ByLoop(self._live)
        self.name = self._server.name
        _import_redis()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Redis]:
        """Yield the running loop's client; failures in the body become StoreErrors."""
        redis = _import_redis()
        refusals: tuple[type[Exception], ...] = (redis.RedisError,)
        outages = (redis.ConnectionError, redis.TimeoutError, OSError, TimeoutError)
        with self._server.errors(refusals, outages):
            yield await self._clients.get()

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a Lua script in one round trip, or two if the server does not know it yet."""
        from redis.exceptions import NoScriptError

        async with self.client() as client:
            try:
                return await client.evalsha(script.sha, len(keys), *keys, *arguments)
            except NoScriptError:  # nothing ran
                return await client.eval(script.text, len(keys), *keys, *arguments)

    async def aclose(self) -> None:
        """Close the running loop's connections; the next command opens them again."""
        await self._clients.aclose()

    async def _live(self) -> AsyncGenerator[Redis]:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        try:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=self._connections,
                timeout=self._timeout,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError):
            raise ConfigError("redis_url (or REDIS_URL) is redis://host:port/number") from None
        client = Redis.from_pool(pool)
        try:
            yield client
        finally:
            await client.aclose()


class Script:
    """A Lua script and the SHA-1 under which servers cache it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()


def _import_redis() -> Any:
    try:
        import redis
    except ImportError as error:
        raise ConfigError("Redis needs a package: pip install 'flashlite[redis]'") from error
    return redis
