"""Recognizing secrets, which no log or error may show, by name, form and place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

SHORTEST_SECRET = 8
"""In characters; shorter keys may be words, such as "none" for a local server."""

_WORDS = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ANYWHERE = frozenset({
    "auth", "authorization", "bearer", "cookie", "credential", "credentials", "jwt", "passphrase",
    "passwd", "password", "secret",
})  # fmt: skip
_AT_THE_END = ("apikey", "password", "secret", "token")
_LOOKS_DRAWN = re.compile(r"(?=\S*\d)\S{8,}")  # unlike an enum's value or a sentence


def is_secret(name: Any) -> bool:
    """Return whether a name (of a header, a field, a parameter) is that of a secret.

    Names are compared word by word: `author`, `key_points` and `max_tokens` are not secret.
    """
    words = [word.lower() for word in _WORDS.findall(str(name))]
    if not words:
        return False
    is_key = words[-1] == "key" or words[-1].endswith(_AT_THE_END)
    return is_key or not _ANYWHERE.isdisjoint(words)


def secrets_in(named: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts under secret names, in headers or other mappings."""
    return (text for name, text in named.items() if isinstance(text, str) and is_secret(name))


def secrets_inside(value: Any, *, is_named: bool = False) -> Iterator[str]:
    """Yield the texts in a request's body that have the name and the form of a secret.

    The name alone is not enough, because a body may contain a schema with the names of an answer's
    fields; if its words were removed from a log, the log would misquote requests and answers.
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
    """Return a URL without the user and the password before its host."""
    return re.sub("//[^/]*@", "//", url) if "@" in url else url
