"""Merging two schemas into one that fits both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema whose instances are likely to fit both; neither has a top-level reference.

    The result is exact for types, bounds, required names and properties. What one schema cannot
    express is left to the validation of the instance.
    """
    result = {**one, **other}
    for name in one.keys() & other.keys():
        if name in _JOIN:
            result[name] = _JOIN[name](one[name], other[name])
    return result


def _both(one: Any, other: Any) -> Any:
    return one if one == other else {"allOf": [one, other]}


def _both_members(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    shared = {name: _both(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


def _common(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in one if value in other]


def _common_types(one: str | list[str], other: str | list[str]) -> list[str]:
    ones, others = ([kinds] if isinstance(kinds, str) else kinds for kinds in (one, other))
    if "integer" in ones + others:  # every integer is a number
        ones, others = ([k.replace("number", "integer") for k in kinds] for kinds in (ones, others))
    return _common(ones, others)


_JOIN: dict[str, Callable[[Any, Any], Any]] = {
    "type": _common_types,
    "enum": _common,
    "required": lambda one, other: [*one, *other],
    "properties": _both_members,
    "patternProperties": _both_members,
    "items": _both,
    "additionalProperties": _both,
    "propertyNames": _both,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
