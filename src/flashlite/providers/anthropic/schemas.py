"""Converting JSON schemas to the subset that Claude enforces on answers.

Source:
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations.
Unlisted keywords are refused with a 400, so a keyword that only narrows a value is moved to the
description, and a schema that depends on another unlisted keyword is unsupported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...schema.strictness import Schema, Unsayable, at_root, close, tell, types_of, untold

_KEPT = frozenset({
    "$defs", "$ref", "allOf", "anyOf", "const", "default", "definitions", "description", "enum",
    "format", "items", "properties", "required", "title", "type",
})  # fmt: skip
_TOLD = (
    "exclusiveMaximum", "exclusiveMinimum", "maxItems", "maxLength", "maxProperties", "maximum",
    "minItems", "minLength", "minProperties", "minimum", "multipleOf", "pattern", "uniqueItems",
)  # fmt: skip
_FORMATS = frozenset({
    "date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"
})  # fmt: skip
_UNSAYABLE = frozenset({
    "additionalItems", "contains", "dependencies", "dependentRequired", "dependentSchemas", "else",
    "if", "not", "patternProperties", "prefixItems", "propertyNames", "then", "unevaluatedItems",
    "unevaluatedProperties",
})  # fmt: skip
_KINDS = frozenset({"type", "$ref", "anyOf", "allOf", "enum", "const"})
_MAPS = ("$defs", "definitions", "properties")


def closed(schema: Schema) -> dict[str, Any] | None:
    """Return a schema in the form that Claude takes, or None if it has none.

    Objects are closed. Recursive schemas, dicts with free keys, tuples and untyped values have no
    such form, nor has a schema whose root is not an object.
    """
    try:
        root = _closed(at_root(schema))
        _refuse_circles(root)
    except (Unsayable, AttributeError, TypeError):
        return None
    return root if root.get("type") == "object" else None


def _closed(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or not _UNSAYABLE.isdisjoint(schema):
        raise Unsayable
    schema = _without_all_of_references(schema)
    node = {key: value for key, value in schema.items() if key in _KEPT}
    for key in _MAPS:
        if key in node:
            node[key] = {name: _closed(inner) for name, inner in node[key].items()}
    if "items" in node:
        node["items"] = _closed(node["items"])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            node["anyOf" if key == "oneOf" else key] = [_closed(inner) for inner in schema[key]]
    tell(node, dict(untold(schema, _TOLD, _FORMATS)))
    _close(node, schema)
    return node


def _without_all_of_references(schema: Schema) -> Schema:
    """Return a node without references in allOf, which Claude refuses; inline a single one."""
    parts = schema.get("allOf", ())
    if all("$ref" not in part for part in parts):
        return schema
    if len(parts) != 1 or "$ref" in schema:
        raise Unsayable
    return {**parts[0], **{key: value for key, value in schema.items() if key != "allOf"}}


def _close(node: dict[str, Any], schema: Schema) -> None:
    """Add the type of a node, and close an object."""
    if "properties" in node:
        node.setdefault("type", "object")
    if _KINDS.isdisjoint(node):
        raise Unsayable
    if "object" in types_of(node):
        close(node, schema)


def _refuse_circles(root: Schema) -> None:
    """Raise Unsayable if a definition refers back to itself."""
    definitions = {
        f"#/{key}/{name}": inner
        for key in ("$defs", "definitions")
        for name, inner in root.get(key, {}).items()
    }
    leads = {name: set(_references(inner)) for name, inner in definitions.items()}
    for _ in leads:
        for name, reached in leads.items():
            leads[name] = reached.union(*(leads.get(other, ()) for other in reached))
    if "#" in _references(root) or any(name in reached for name, reached in leads.items()):
        raise Unsayable


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        value = value.values()
    elif not isinstance(value, list):
        return
    for inner in value:
        yield from _references(inner)
