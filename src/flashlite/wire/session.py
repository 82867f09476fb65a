"""aiohttp sessions: each belongs to one loop and is closed with it, or with its last user.

`asyncio.run` closes every asynchronous generator that is still open when the loop ends, and waits
for it. So a generator holds each session, and this module holds the generator: left to the garbage
collector, it would be closed by a task that an ending loop no longer waits for.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from aiohttp import ClientSession

_GRACE = 0.05  # seconds; a loop that is ending has closed its sessions by then
_Life = AsyncGeneratorType["ClientSession", None]

_open: dict[asyncio.AbstractEventLoop, set[_Life]] = {}
_closing: set[asyncio.Task[None]] = set()


class Session:
    """One session; it closes itself when nobody refers to it any more."""

    def __init__(self, client: ClientSession, life: _Life) -> None:
        self.client = client
        self._life = life
        self._loop = asyncio.get_running_loop()
        self._forgotten = weakref.finalize(self, _close_later, self._loop, life)
        self._forgotten.atexit = False
        self._proxies: dict[str, str | None] = {}

    @classmethod
    async def open(cls) -> Session:
        """Open a session on the running loop; never suspends."""
        for loop in [loop for loop in list(_open) if loop.is_closed()]:
            _open.pop(loop, None)
        life = cast("_Life", _live())
        session = cls(await anext(life), life)
        _open.setdefault(session._loop, set()).add(life)
        return session

    def proxy(self, url: str, proxy_for: Callable[[str], str | None]) -> str | None:
        """Return the proxy for an address; it is looked up once, because that takes a while."""
        try:
            return self._proxies[url]
        except KeyError:
            found = self._proxies[url] = proxy_for(url)
            return found

    async def aclose(self) -> None:
        self._forgotten.detach()
        await _close(self._loop, self._life)


async def _live() -> AsyncGenerator[ClientSession]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, ttl_dns_cache=300)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": _user_agent()},
    ) as session:
        yield session


@cache
def _user_agent() -> str:
    return f"flashlite/{version('flashlite')}"


def _close_later(loop: asyncio.AbstractEventLoop, life: _Life) -> None:
    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(loop.call_later, _GRACE, _begin_closing, loop, life)


def _begin_closing(loop: asyncio.AbstractEventLoop, life: _Life) -> None:
    task = loop.create_task(_close(loop, life))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def _close(loop: asyncio.AbstractEventLoop, life: _Life) -> None:
    _open.get(loop, set()).discard(life)
    if not life.ag_running:  # otherwise the loop is ending and closes it
        await life.aclose()
