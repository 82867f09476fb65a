"""Leases: one of several processes does a task; if it dies, another may do it after a while."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ..errors import StoreError
from .redis_server import RedisServer, Script

_TERM = 10_000  # milliseconds until the lease of a silent holder expires

_RENEW = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")
_RELEASE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")


class Lease:
    """A lease under a name in Redis, with one holder at a time."""

    def __init__(self, redis: RedisServer, name: str) -> None:
        self._redis = redis
        self._name = name
        self._token = secrets.token_hex(8)

    async def take(self) -> bool:
        """Take the lease unless somebody has it; return whether it was taken."""
        async with self._redis.client() as client:
            taken = await client.set(self._name, self._token, nx=True, px=_TERM)
        return bool(taken)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Renew the lease while the body runs, and release it afterwards."""
        renewal = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewal.cancel()
            with suppress(StoreError):  # then it expires with its term
                await self._redis.run(_RELEASE, [self._name], [self._token])

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_TERM / 3000)
            with suppress(StoreError):  # at worst two processes ask for the same
                await self._redis.run(_RENEW, [self._name], [self._token, _TERM])
