"""Values as JSON that every reader of a log can parse, whatever a caller or a model sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from ..types import ToolCall

Fragment = orjson.Fragment
"""JSON that is already encoded and goes into a document unchanged."""

LARGEST = 2**53
"""The largest integer that all readers of JSON agree on, including browsers."""

_DEEPEST = 100  # levels; Inspect's pydantic models fail somewhere beyond 200
_STRUCK = "***"
_ATOMS = frozenset({bool, type(None), Fragment})
_CONTAINERS = frozenset({dict, list, tuple})


def plain(value: Any, *, secrets: tuple[str, ...] = ()) -> Any:
    """Return a copy of a value as JSON; a value of any other type becomes the type's name.

    Lone surrogates (half an emoji) become escapes, numbers that JSON lacks become texts, and what
    is nested too deeply, or in itself, becomes a note. `secrets` are replaced by ***.
    """
    if not secrets and type(value) is str and value.isascii():
        return value
    return _Copy(secrets).of(value)


def encode(value: Any, *, secrets: tuple[str, ...] = ()) -> bytes:
    """Return a value as JSON bytes, without these secrets."""
    try:
        line = orjson.dumps(value)
    except TypeError:  # half an emoji, which JSON cannot hold
        return orjson.dumps(plain(value, secrets=secrets))
    # A secret that JSON escapes would not be found in the line.
    if secrets and any("\\" in word or word.encode("utf-8", "replace") in line for word in secrets):
        return orjson.dumps(plain(value, secrets=secrets))
    return line


class _Copy:
    """Copies values, and tracks those that it is inside of."""

    __slots__ = ("_inside", "_secrets")

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._inside: list[int] = []

    def of(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind in _ATOMS:
            return value
        if kind in _CONTAINERS:  # the same as below, without asking abstract classes
            return self._nested(value)
        if isinstance(value, int | float):
            return _number(value)
        if isinstance(value, str):  # an enum's member
            return self._text(str(value))
        if isinstance(value, Mapping | list | tuple):
            return self._nested(value)
        if isinstance(value, ToolCall):
            return self.of(value.to_dict())
        return f"<{getattr(value, '__name__', None) or kind.__name__}>"

    def _nested(self, value: Any) -> Any:
        if len(self._inside) > _DEEPEST:
            return "<nested too deeply>"
        if id(value) in self._inside:
            return "<nested in itself>"
        self._inside.append(id(value))
        try:
            if isinstance(value, dict | Mapping):
                # list() copies in one step: another thread may change the value meanwhile.
                members = list(value.items())
                return {self._text(str(name)): self.of(member) for name, member in members}
            return [self.of(member) for member in list(value)]
        finally:
            self._inside.pop()

    def _text(self, text: str) -> str:
        if not text.isascii():
            text = text.encode("utf-8", "backslashreplace").decode()
        for word in self._secrets:
            if word in text:
                text = text.replace(word, _STRUCK)
        return text


def _number(value: float) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return int(value) if -LARGEST <= value <= LARGEST else str(value)
