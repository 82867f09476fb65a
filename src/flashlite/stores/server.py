"""A server that may be down: its errors become StoreErrors without secrets, and it gets a rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

from ..errors import StoreError

_REST = 1.0  # seconds without another attempt: a server that hangs would delay every call


class Server:
    """A server at an address, and whether it was reachable the last time."""

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
        """Turn a library's errors into StoreErrors; after an outage, fail untried for a second."""
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
    """Return the host and path, without user part and query: either may hold a password."""
    _, scheme, rest = url.partition("://")
    return rest.rpartition("@")[2].partition("?")[0] if scheme else "an address without a scheme"


def _secrets(url: str) -> list[str]:
    """Return the texts that must not be shown, longest first: the address and its passwords."""
    password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    found = {url, password, unquote(password)}
    with suppress(ValueError):  # not an address; connecting to it will fail
        found |= {part.partition("=")[2] for part in urlsplit(url).query.split("&")}
    return sorted((secret for secret in found if len(secret) > 2), key=len, reverse=True)
