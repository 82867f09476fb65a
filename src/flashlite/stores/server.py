"""A server that may be down: its errors are StoreErrors without secrets, and it is given a rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

from ..errors import StoreError

_REST = 1.0  # seconds for which nobody tries again: a server that hangs would hold every call up


class Server:
    """Who is asked at an address, and whether it answered the last time."""

    def __init__(
        self,
        kind: str,
        url: str,
        *,
        secret: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"{kind} at {_without_secrets(url)}"
        self._secrets = [*_secrets(url), *([secret] if secret else [])]
        self._clock = clock
        self._rests_until = 0.0
        self._failure = ""

    @contextmanager
    def errors(
        self, refusals: tuple[type[Exception], ...], outages: tuple[type[Exception], ...]
    ) -> Iterator[None]:
        """Turn a library's errors into StoreErrors; after an outage the server gets a rest."""
        if self._clock() < self._rests_until:
            raise StoreError(self._failure)
        try:
            yield
        except outages as error:
            self._failure = self._sentence("cannot be reached", error)
            self._rests_until = self._clock() + _REST
            raise StoreError(self._failure) from None
        except refusals as error:
            raise StoreError(self._sentence("refused", error)) from None

    def _sentence(self, what: str, error: Exception) -> str:
        said = str(error) or type(error).__name__
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return f"{self.name} {what}: {said:.300}"


def _without_secrets(url: str) -> str:
    """Return the host and what follows it, up to the query: either may hold a password."""
    _, scheme, rest = url.partition("://")
    return rest.rpartition("@")[2].partition("?")[0] if scheme else "an address without a scheme"


def _secrets(url: str) -> list[str]:
    """Return what must not be shown, the longest first: the address, and the password in it."""
    password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    found = {url, password, unquote(password)}
    with suppress(ValueError):  # not an address; whoever connects to it will say so
        found |= {part.partition("=")[2] for part in urlsplit(url).query.split("&")}
    return sorted((secret for secret in found if len(secret) > 2), key=len, reverse=True)
