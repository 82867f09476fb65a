"""What lies beneath an exception of litellm's: a lost connection, a limit, or a mistake in code.

Kinds are compared by the names of their modules, because to import those would take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_NETWORK = frozenset(
    {
        ("aiohttp", "ClientError"),
        ("botocore", "ConnectionError"),
        ("botocore", "HTTPClientError"),
        ("google", "TransportError"),
        ("httpcore", "NetworkError"),
        ("httpx", "TransportError"),
        ("httpx2", "TransportError"),
    }
)
_TIMEOUTS = frozenset({("httpx", "TimeoutException"), ("httpx2", "TimeoutException")})
_ADDRESSES = frozenset(
    {
        ("aiohttp", "InvalidURL"),
        ("httpx", "InvalidURL"),
        ("httpx", "UnsupportedProtocol"),
        ("httpx2", "InvalidURL"),
        ("httpx2", "UnsupportedProtocol"),
    }
)


class LostConnection(NamedTuple):
    """A failure of the network, and whether it was a limit that passed."""

    error: BaseException
    is_timeout: bool


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what lies beneath, from the top down; what a `from None` hides counts too."""
    seen = {id(error)}
    inner = error.__cause__ or error.__context__
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        inner = inner.__cause__ or inner.__context__


def lost_connection(error: BaseException) -> LostConnection | None:
    """Find the failure of the network beneath an error, if that is what it was."""
    for cause in (error, *causes(error)):
        if isinstance(cause, TimeoutError) or _kinds(cause) & _TIMEOUTS:
            return LostConnection(cause, is_timeout=True)
        # An OSError with a file's name tells of that file.
        if _kinds(cause) & _NETWORK or (isinstance(cause, OSError) and cause.filename is None):
            return LostConnection(cause, is_timeout=False)
    return None


def wrong_address(error: BaseException) -> bool:
    """Whether there was nothing to connect to, because an address is not one."""
    return any(_kinds(cause) & _ADDRESSES for cause in causes(error))


def bug(error: BaseException) -> BaseException | None:
    """Find a programming error underneath."""
    mistakes = ImportError | AttributeError | TypeError
    return next((cause for cause in causes(error) if isinstance(cause, mistakes)), None)


def _kinds(error: BaseException) -> set[tuple[str, str]]:
    return {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
