"""Texts and numbers that are likely to fit a schema, and a schema's possible types."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from .patterns import matches

KINDS: dict[str, tuple[Any, ...]] = {
    "null": (None,),
    "string": (),
    "integer": (),
    "number": (),
    "boolean": (True, False),
    "object": (),
    "array": (),
}
"""The types of JSON, with all values of the types that have only a few."""

_IMPLIED = {
    "object": ("properties", "required", "additionalProperties", "patternProperties",
               "minProperties", "maxProperties", "propertyNames"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
_SAMPLES = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "someone@example.org",
    "hostname": "example.org",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_LONGEST_TEXT = 100_000
_VARIANTS = 1000


def kinds(schema: Mapping[str, Any]) -> list[str]:
    """Return the types to try: those given, else those that other keywords imply, then all."""
    given = schema.get("type")
    if given is not None:
        return [given] if isinstance(given, str) else list(given)
    implied = [kind for kind, words in _IMPLIED.items() if any(word in schema for word in words)]
    return list(dict.fromkeys([*implied, *KINDS]))


def strings(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield texts of an allowed length, then ones that match the pattern, then numbered ones."""
    shortest = int(schema.get("minLength", 0))
    if shortest > _LONGEST_TEXT:
        return
    sample = _SAMPLES.get(schema.get("format", ""), "text").ljust(shortest, "x")
    longest = int(min(schema.get("maxLength", _LONGEST_TEXT), _LONGEST_TEXT))
    yield sample[:longest]
    if "pattern" in schema:
        yield from matches(schema["pattern"], max(shortest, 64))
    for number in map(str, range(2, _VARIANTS)):
        if len(number) <= longest:
            yield sample[: longest - len(number)] + number


def numbers(schema: Mapping[str, Any], *, whole: bool) -> Iterator[float]:
    """Yield the first multiple at or above the lower bound, then values between and beyond."""
    step = Fraction(str(schema.get("multipleOf", 1)))
    if whole:
        step = Fraction(step.numerator)  # the smallest integer among its multiples
    low = _bound(schema, "minimum", "exclusiveMinimum", max)
    high = _bound(schema, "maximum", "exclusiveMaximum", min)
    start = low if low is not None else Fraction(0)
    if low is None and high is not None:
        start = min(start, high - step)
    first = math.ceil(start / step) * step
    yield _number(first)
    if low is not None and high is not None and not whole:
        yield from (_number((low + high) / 2), _number(low), _number(high))
    yield from (_number(first + step * count) for count in range(1, _VARIANTS))
    yield from (_number(first - step * count) for count in range(1, _VARIANTS))


def _bound(schema: Mapping[str, Any], closed: str, opened: str, choose: Any) -> Fraction | None:
    given = [Fraction(str(schema[name])) for name in (closed, opened) if name in schema]
    return choose(given) if given else None


def _number(value: Fraction) -> float:
    return value.numerator if value.denominator == 1 else float(value)
