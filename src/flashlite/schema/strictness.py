"""The strict form of a JSON schema: the part of JSON schema that OpenAI enforces on answers.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas. Keywords that
are not listed there are refused with a 400, so one that only narrows a value is moved to the
description, and a schema that cannot do without such a keyword has no strict form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

Schema = Mapping[str, Any]

_KEPT = frozenset({
    "$defs", "$ref", "anyOf", "const", "definitions", "description", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum",
    "multipleOf", "pattern", "properties", "title", "type",
})  # fmt: skip
_TOLD = ("minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties")
_FORMATS = frozenset({
    "date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"
})  # fmt: skip
_LOOKAROUND = re.compile(r"(?<!\\)(?:\\\\)*\(\?<?[=!]")
_UNSAYABLE = frozenset({
    "additionalItems", "contains", "contentSchema", "dependencies", "dependentRequired",
    "dependentSchemas", "else", "if", "not", "patternProperties", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_ANNOTATIONS = frozenset({"default", "description", "examples", "title"})
_KINDS = {
    bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"
}  # fmt: skip


class Unsayable(Exception):
    """A schema cannot be expressed in the wanted form."""


def strict(schema: Schema) -> dict[str, Any] | None:
    """Return a schema in OpenAI's strict form, None if it has none.

    Objects are closed and all their properties are required; the default of a property is moved to
    its description. A dict with free keys, a tuple of different types, an untyped value and a
    schema whose root is not an object have no strict form.
    """
    try:
        root = _strict(at_root(schema))
    except Unsayable:
        return None
    return root if root.get("type") == "object" and "anyOf" not in root else None


def at_root(schema: Schema) -> dict[str, Any]:
    """Return a schema with its root resolved, which for recursive types is a reference."""
    root, definitions = dict(schema), schema.get("$defs", {})
    for _ in definitions:  # references may form a chain, at most as long as this
        name = str(root.get("$ref", "")).removeprefix("#/$defs/")
        if name in definitions:
            root = {**definitions[name], **{key: root[key] for key in root if key != "$ref"}}
    return root


def _strict(schema: Any) -> dict[str, Any]:
    """Return a node and everything below it in the strict form."""
    if not isinstance(schema, Mapping) or not _UNSAYABLE.isdisjoint(schema):
        raise Unsayable
    schema = _uniform(_merged(schema))
    node = {key: value for key, value in schema.items() if key in _KEPT}
    for key in ("$defs", "definitions", "properties"):
        if key in node:
            node[key] = {name: _strict(inner) for name, inner in node[key].items()}
    if "items" in node:
        node["items"] = _strict(node["items"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        node["anyOf"] = [_strict(choice) for choice in choices]
    tell(node, dict(_untold(schema)))
    _say_type(node)
    if "object" in types_of(node):
        _require_all(node)
        close(node, schema)
    return _alone(node)


def _merged(schema: Schema) -> Schema:
    """Return the node without the allOf that pydantic uses to add keywords to a reference."""
    while "allOf" in schema:
        parts = schema["allOf"]
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        if len(parts) != 1 or parts[0].keys() & rest.keys() - _ANNOTATIONS:
            raise Unsayable
        schema = {**parts[0], **rest}
    return schema


def _uniform(schema: Schema) -> Schema:
    """Return the node without prefixItems, which a tuple with one type does not need."""
    if "prefixItems" not in schema:
        return schema
    items = schema["prefixItems"]
    if "items" in schema or not items or any(item != items[0] for item in items):
        raise Unsayable
    return {**schema, "items": items[0]}


def tell(node: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Move keywords that the wanted form lacks into the description of a node."""
    for key in told:
        node.pop(key, None)
    if told:
        notes = ", ".join(f"{key}: {json.dumps(value, default=str)}" for key, value in told.items())
        node["description"] = f"{node['description']} ({notes})" if "description" in node else notes


def untold(schema: Schema, keys: Iterable[str], formats: Set[str]) -> Iterator[tuple[str, Any]]:
    """Yield the keywords that a form lacks: those in `keys`, and a format not in `formats`."""
    yield from ((key, schema[key]) for key in keys if key in schema)
    if "format" in schema and schema["format"] not in formats:
        yield "format", schema["format"]


def _untold(schema: Schema) -> Iterator[tuple[str, Any]]:
    yield from untold(schema, _TOLD, _FORMATS)
    if _LOOKAROUND.search(schema.get("pattern", "")):
        yield "pattern", schema["pattern"]
    if schema.get("default") not in (None, "", [], {}):
        yield "default", schema["default"]


def _say_type(node: dict[str, Any]) -> None:
    """Add the type of a node that its enumerated values or properties imply."""
    if "properties" in node:
        node.setdefault("type", "object")
    values = node.get("enum", [node["const"]] if "const" in node else [])
    if values and "type" not in node:
        kinds = list(dict.fromkeys(_KINDS.get(type(value)) for value in values))
        node["type"] = kinds[0] if len(kinds) == 1 else kinds
    types = types_of(node)
    is_typed = types or "$ref" in node or "anyOf" in node
    if not is_typed or None in types or ("array" in types and "items" not in node):
        raise Unsayable


def types_of(node: Schema) -> list[Any]:
    """Return the types that a node allows."""
    kinds = node.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _require_all(node: dict[str, Any]) -> None:
    node["properties"] = node.get("properties", {})
    node["required"] = list(node["properties"])


def close(node: dict[str, Any], schema: Schema) -> None:
    """Mark an object as having no other keys; raises Unsayable if it may have some."""
    if schema.get("additionalProperties", "properties" not in schema) is not False:
        raise Unsayable
    node["additionalProperties"] = False


def _alone(node: dict[str, Any]) -> dict[str, Any]:
    """Move a reference into an anyOf if it has siblings, which are allowed beside anyOf only."""
    if "$ref" not in node or len(node) == 1:
        return node
    if "anyOf" in node:
        raise Unsayable
    reference = {"$ref": node.pop("$ref")}
    return {"anyOf": [reference], **node}
