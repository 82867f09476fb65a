"""Names in a chat: which are allowed, and who can be addressed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from unicodedata import normalize

from ..errors import ConfigError
from .views import CHAT

Audience = str | Iterable[str] | None
"""Who a message is for: a name or several names; None means everybody."""


def checked_name(name: str | None, known: Iterable[str]) -> str:
    """Return the name; raises ConfigError if it does not fit a head or is too like another name."""
    is_text = isinstance(name, str) and name.isprintable() and name == name.strip() != ""
    if not name or not is_text or "[" in name or "]" in name:
        raise ConfigError(f"a name is one line of text without brackets; got {name!r:.80}")
    if _are_alike(CHAT, name):
        raise ConfigError(f"{name!r} is how the chat itself speaks: choose another name")
    for other in known:
        if other != name and _are_alike(other, name):
            raise ConfigError(f"{name!r} is too like {other!r}: spell both alike, or rename one")
    return name


def _are_alike(one: str, other: str) -> bool:
    """Return whether a head with one name can be mistaken for the other's, as `[Ann to Bob]:`."""
    short, long = sorted((normalize("NFKC", name).casefold() for name in (one, other)), key=len)
    return short == long or long.startswith((f"{short} to ", f"{short}, with tools", f"{short}:"))


def readers(visible_to: Audience, known: Collection[str]) -> tuple[str, ...] | None:
    """Return who may read a message, None for everybody; raises ConfigError for unknown names."""
    if visible_to is None:
        return None
    names = (visible_to,) if isinstance(visible_to, str) else tuple(dict.fromkeys(visible_to))
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "nobody"
            raise ConfigError(f"nobody here is called {name!r}; there are: {listed}")
    return names
