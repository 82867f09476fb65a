"""Finding the cause of a litellm exception: a lost connection, a timeout, or a bug.

Classes are compared by their modules' names, because importing those would take seconds.
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
    """A network failure, and whether it was a timeout."""

    error: BaseException
    is_timeout: bool


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an error, outermost first, including those hidden by `from None`."""
    seen = {id(error)}
    inner = error.__cause__ or error.__context__
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        inner = inner.__cause__ or inner.__context__


def lost_connection(error: BaseException) -> LostConnection | None:
    """Return the network failure among an error's causes, or None."""
    for cause in (error, *causes(error)):
        if isinstance(cause, TimeoutError) or _kinds(cause) & _TIMEOUTS:
            return LostConnection(cause, is_timeout=True)
        # An OSError with a file name is about that file.
        if _kinds(cause) & _NETWORK or (isinstance(cause, OSError) and cause.filename is None):
            return LostConnection(cause, is_timeout=False)
    return None


def wrong_address(error: BaseException) -> bool:
    """Return whether an invalid address caused an error."""
    return any(_kinds(cause) & _ADDRESSES for cause in causes(error))


def bug(error: BaseException) -> BaseException | None:
    """Return a programming error among the causes, or None."""
    mistakes = ImportError | AttributeError | TypeError
    return next((cause for cause in causes(error) if isinstance(cause, mistakes)), None)


def _kinds(error: BaseException) -> set[tuple[str, str]]:
    return {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
