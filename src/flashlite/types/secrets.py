"""What no log and no error may show: how it is named, how it looks, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

SHORTEST_SECRET = 8
"""Characters; a local server's key may be a word such as "none"."""

_WORDS = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ANYWHERE = frozenset({
    "auth", "authorization", "bearer", "cookie", "credential", "credentials", "jwt", "passphrase",
    "passwd", "password", "secret",
})  # fmt: skip
_AT_THE_END = ("apikey", "password", "secret", "token")
_LOOKS_DRAWN = re.compile(r"(?=\S*\d)\S{8,}")  # an enum's value or a sentence does not


def is_secret(name: Any) -> bool:
    """Whether something of this name (a header, a field, a parameter) looks secret.

    Names are read word by word: `author` and `key_points` are none, `max_tokens` neither.
    """
    words = [word.lower() for word in _WORDS.findall(str(name))]
    if not words:
        return False
    is_key = words[-1] == "key" or words[-1].endswith(_AT_THE_END)
    return is_key or not _ANYWHERE.isdisjoint(words)


def secrets_in(named: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts under names that look secret, of headers and the like."""
    return (text for name, text in named.items() if isinstance(text, str) and is_secret(name))


def secrets_inside(value: Any, *, is_named: bool = False) -> Iterator[str]:
    """Yield the texts of a request's body that both are named like secrets and look like some.

    A body may have a schema in it, whose names are those of an answer: struck out elsewhere, its
    words would change what a log says was asked and answered.
    """
    if isinstance(value, str):
        if is_named and _LOOKS_DRAWN.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from secrets_inside(member, is_named=is_named or is_secret(name))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from secrets_inside(member, is_named=is_named)


def without_password(url: str) -> str:
    """Return an address without the user and the password before its host."""
    return re.sub("//[^/]*@", "//", url) if "@" in url else url
