"""Values as JSON that every reader of a log can take, whatever a caller or a model sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from ..types import ToolCall

Fragment = orjson.Fragment
"""JSON that is written already and goes into a document as it stands."""

LARGEST = 2**53
"""The largest whole number that all readers of JSON agree on, browsers too."""

_DEEPEST = 100  # nested values; Inspect's models give up somewhere beyond 200
_STRUCK = "***"
_ATOMS = frozenset({bool, type(None), Fragment})
_CONTAINERS = frozenset({dict, list, tuple})


def plain(value: Any, *, secrets: tuple[str, ...] = ()) -> Any:
    """Copy a value as JSON: what is none is named by its type, and nothing is endless.

    Halves of emojis are written as escapes, numbers that JSON does not know as texts, and what is
    nested too deeply, or in itself, as a note.
    """
    if not secrets and type(value) is str and value.isascii():
        return value
    return _Copy(secrets).of(value)


def encode(value: Any, *, secrets: tuple[str, ...] = ()) -> bytes:
    """Write a value as JSON, without these secrets."""
    try:
        line = orjson.dumps(value)
    except TypeError:  # half an emoji: JSON cannot say it
        return orjson.dumps(plain(value, secrets=secrets))
    # What JSON escapes looks otherwise in a line.
    if secrets and any("\\" in word or word.encode("utf-8", "replace") in line for word in secrets):
        return orjson.dumps(plain(value, secrets=secrets))
    return line


class _Copy:
    """Copies values, and knows inside of which it is."""

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
                # Lists are made in one step: another thread may change what we read.
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
