"""Access to Qdrant: a server, or a folder or memory of this process."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from json import JSONDecodeError
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from ..errors import ConfigError, StoreError
from ..loop_thread import LoopThread
from .by_loop import ByLoop
from .server import Server

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient

T = TypeVar("T")

_CONNECTIONS = 50  # on loopback the library would open one for each call in flight
_KEPT_ALIVE = 2.0  # seconds: a server closes connections idle for five, perhaps during a request

_NO_JSON = (
    "the answer is no JSON; is this the port of Qdrant's REST interface, which is 6333 as a rule?"
)

log = logging.getLogger("flashlite.cache")


class Qdrant(Protocol):
    """A Qdrant that runs jobs with its client; failures are StoreErrors."""

    async def run(self, job: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        """Run a job and return its result."""
        ...

    async def aclose(self) -> None:
        """Close the connections; the next use opens them again."""
        ...


def qdrant_at(
    url: str | None, api_key: str | None, path: str | os.PathLike[str] | None, *, timeout: float
) -> Qdrant:
    """Return the Qdrant at a URL, in a folder, or in memory (`path` ":memory:")."""
    if find_spec("qdrant_client") is None:
        raise ConfigError("Qdrant needs a package: pip install 'flashlite[qdrant]'")
    if url is not None:
        return QdrantServer(url, api_key, timeout=timeout)
    if path is None:
        raise ConfigError("where is Qdrant? Pass url=... or path='./answers', or set QDRANT_URL")
    return QdrantMemory() if path == ":memory:" else QdrantFolder.at(Path(path))


class QdrantServer:
    """A Qdrant server; a job fails after `timeout` seconds, and is never sent twice."""

    def __init__(self, url: str, api_key: str | None, *, timeout: float) -> None:
        url, api_key = url.strip(), (api_key or "").strip()
        self._url = url
        self._headers = {"api-key": api_key} if api_key else {}
        self._timeout = timeout
        self._server = Server("Qdrant", url, secret=api_key)
        self._clients: ByLoop[AsyncQdrantClient] = ByLoop(self._live)
        _check(url)
        _check_key(api_key)
        if api_key and _is_open_to_all(url):
            log.warning("%s gets its API key unencrypted: use https", self._server.name)

    async def run(self, job: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        client = await self._clients.get()
        with self._errors():
            async with asyncio.timeout(self._timeout):
                try:
                    return await job(client)
                except JSONDecodeError:
                    raise ValueError(_NO_JSON) from None

    async def aclose(self) -> None:
        await self._clients.aclose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from qdrant_client.common.client_exceptions import QdrantException
        from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

        outages = (ResponseHandlingException, OSError, TimeoutError)
        with self._server.errors((ApiException, QdrantException, ValueError), outages):
            yield

    async def _live(self) -> AsyncGenerator[AsyncQdrantClient]:
        await asyncio.to_thread(_import_qdrant)  # takes more than a second
        from httpx import Limits
        from qdrant_client import AsyncQdrantClient

        client = AsyncQdrantClient(
            url=self._url,
            headers=self._headers,  # not `api_key`, which warns of any http, even loopback
            timeout=ceil(self._timeout),
            check_compatibility=False,  # it would use a thread, and warn if nobody answers
            limits=Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEPT_ALIVE),
        )
        try:
            yield client
        finally:
            await client.close()


class QdrantMemory:
    """A Qdrant in the memory of this process."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._clients: ByLoop[AsyncQdrantClient] = ByLoop(self._live)

    async def run(self, job: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        # Its methods are asynchronous in name only: they block while they compute or write to disk.
        return await _THREAD.run(self._run(job))

    async def aclose(self) -> None:
        """Do nothing: closing would lose the entries."""

    async def _run(self, job: Callable[[AsyncQdrantClient], Coroutine[Any, Any, T]]) -> T:
        try:
            client = await self._clients.get()
            return await job(client)
        except (OSError, sqlite3.Error, ValueError, RuntimeError) as error:
            where = "in memory" if self._folder is None else f"in {self._folder}"
            raise StoreError(f"Qdrant {where} cannot do it: {error}") from error

    async def _live(self) -> AsyncGenerator[AsyncQdrantClient]:
        from qdrant_client import AsyncQdrantClient

        if self._folder is None:
            client = AsyncQdrantClient(location=":memory:")
        else:
            _check_nobody_has(self._folder)
            client = AsyncQdrantClient(path=str(self._folder))
        try:
            yield client
        finally:
            await client.close()


class QdrantFolder(QdrantMemory):
    """A Qdrant in a folder, for one process at a time; all stores of the process share it."""

    @classmethod
    def at(cls, folder: Path) -> QdrantFolder:
        """Return this process's Qdrant for a folder."""
        folder = folder.expanduser().resolve()
        found = _FOLDERS.get(folder)
        return found if found is not None else _FOLDERS.setdefault(folder, cls(folder))

    async def aclose(self) -> None:
        await _THREAD.run(self._clients.aclose())


_THREAD = LoopThread("flashlite-qdrant")  # a local Qdrant can only be used in one thread
_FOLDERS: WeakValueDictionary[Path, QdrantFolder] = WeakValueDictionary()


def _check_nobody_has(folder: Path) -> None:
    """Raise ConfigError if another process uses the folder, before the library reads it."""
    import portalocker

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with portalocker.Lock(folder / ".lock", mode="a", fail_when_locked=True):
            pass
    except portalocker.LockException:
        raise ConfigError(
            f"another process uses {folder}, and Qdrant serves several from a server only: pass "
            "QdrantCache(url=...), or give each process a path of its own"
        ) from None


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError("a Qdrant URL (url=... or QDRANT_URL) is http://host:6333 or https")


def _check_key(api_key: str) -> None:
    if not (api_key.isascii() and api_key.isprintable()):
        raise ConfigError(
            "the Qdrant API key (api_key=... or QDRANT_API_KEY) has characters that no key has: "
            "it is printable ASCII"
        )


def _is_open_to_all(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    is_own = host in ("localhost", "::1") or host.startswith("127.")
    return urlsplit(url).scheme == "http" and not is_own


def _import_qdrant() -> None:
    import qdrant_client  # noqa: F401
