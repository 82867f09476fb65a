"""A smallest instance of a JSON schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def instance(schema: Mapping[str, Any]) -> Any:
    """Return a value that fits the schema.

    Optional properties are given until the schema repeats itself, so recursive schemas end.
    Knows what structured output uses: types, enum, const, anyOf, oneOf, allOf, $ref, bounds and
    common formats; a `pattern` is not searched for.
    """
    return _Maker(schema).make(schema, ())


class _Maker:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def make(self, schema: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(schema, Mapping):
            return None
        for name in ("const", "default"):
            if name in schema:
                return schema[name]
        if "enum" in schema:
            return schema["enum"][0]
        if reference := schema.get("$ref"):
            return self.make(self._look_up(reference), (*path, reference))
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self.make(self._choose(options, path), path)
        if parts := schema.get("allOf"):
            merged: dict[str, Any] = {}
            for part in parts:
                merged |= part
            return self.make(merged, path)
        return self._of_type(schema, path)

    def _of_type(self, schema: Mapping[str, Any], path: tuple[str, ...]) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0]
        match kind or ("object" if "properties" in schema else None):
            case "object":
                return self._object(schema, path)
            case "array":
                count = max(schema.get("minItems", 0), 0 if _repeats(path) else 1)
                count = min(count, schema.get("maxItems", count))
                return [self.make(schema.get("items"), path) for _ in range(count)]
            case "string":
                return _string(schema)
            case "integer" | "number":
                return _number(schema)
            case "boolean":
                return True
            case _:
                return None

    def _object(self, schema: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self.make(member, path)
            for name, member in (schema.get("properties") or {}).items()
            if name in required or not _repeats(path)
        }

    def _choose(self, options: list[Any], path: tuple[str, ...]) -> Any:
        """Take the first way, or the shortest way out of a recursion."""
        if _repeats(path):
            return next(
                (o for o in options if "$ref" not in o and o.get("type") != "object"), options[0]
            )
        return options[0]

    def _look_up(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found[step] if step else found
        return found


def _repeats(path: tuple[str, ...]) -> bool:
    return len(set(path)) < len(path)


def _string(schema: Mapping[str, Any]) -> str:
    samples = {
        "date": "2024-01-01",
        "date-time": "2024-01-01T00:00:00Z",
        "time": "00:00:00Z",
        "email": "someone@example.org",
        "uri": "https://example.org",
        "uuid": "00000000-0000-4000-8000-000000000000",
    }
    text = samples.get(schema.get("format", ""), "text")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _number(schema: Mapping[str, Any]) -> float:
    """The first multiple at or above the lower bound; between narrow bounds, the middle."""
    step: float = schema.get("multipleOf", 1)
    open_low: float = schema.get("exclusiveMinimum", -math.inf)
    open_high: float = schema.get("exclusiveMaximum", math.inf)
    low: float = max(schema.get("minimum", -math.inf), open_low)
    high: float = min(schema.get("maximum", math.inf), open_high)
    if low == -math.inf:
        low = min(0.0, high - step)
    value: float = math.ceil(low / step) * step
    if value <= open_low:
        value += step
    if (value > high or value >= open_high) and schema.get("type") == "number":
        return (low + high) / 2
    return value
