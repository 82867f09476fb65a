"""What no log and no error may show: how it is named, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

SHORTEST_SECRET = 8
"""Characters; a local server's key may be a word such as "none"."""

_SECRET = re.compile("auth|key|token|secret|cookie|password|credential", re.IGNORECASE)


def is_secret(name: Any) -> bool:
    """Whether something of this name (a header, a field, a parameter) looks secret."""
    return _SECRET.search(str(name)) is not None


def secrets_in(value: Any, *, is_named: bool = False) -> Iterator[str]:
    """Yield the texts under names that look secret, at any depth; `is_named` says this one is."""
    if isinstance(value, str):
        if is_named:
            yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from secrets_in(member, is_named=is_named or is_secret(name))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from secrets_in(member, is_named=is_named)


def without_password(url: str) -> str:
    """Return an address without the user and the password before its host."""
    return re.sub("//[^/]*@", "//", url) if "@" in url else url
