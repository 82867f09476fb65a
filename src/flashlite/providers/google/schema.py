"""Converting JSON Schema to the subset that Gemini takes.

Source: `responseJsonSchema` in https://ai.google.dev/api/generate-content#generationconfig.
Keywords that are left out (`pattern`, `minLength`, …) are not enforced there; the caller has to
check them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ONE = frozenset({"items", "additionalProperties"})
_MANY = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED = frozenset({"properties", "$defs"})
_PLAIN = frozenset(
    {"$id", "$anchor", "type", "format", "title", "description", "enum", "required"}
    | {"minItems", "maxItems", "minimum", "maximum", "propertyOrdering"}
)


def taken(schema: Any) -> Any:
    """Return the schema in Gemini's subset.

    References stay: the API unrolls recursion itself. It takes no other keyword beside a reference,
    so a reference at the root, as in recursive models, is replaced by its target.
    """
    if isinstance(schema, Mapping) and "definitions" in schema:  # the older name of $defs
        schema = {**schema, "$defs": {**schema["definitions"], **schema.get("$defs", {})}}
    if isinstance(schema, Mapping) and "$ref" in schema and "$defs" in schema:
        name = _pointer(schema["$ref"]).removeprefix("#/$defs/")
        schema = {**schema["$defs"].get(name, {}), "$defs": schema["$defs"]}
    return _taken(schema)


def _taken(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {"$ref": _pointer(schema["$ref"])}
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _PLAIN:
            kept[key] = value
        elif key in _ONE:
            kept[key] = _taken(value)
        elif key in _MANY:
            kept[key] = [_taken(item) for item in value]
        elif key in _NAMED:
            kept[key] = {name: _taken(item) for name, item in value.items()}
        elif key == "const" and isinstance(value, str):
            kept["enum"] = [value]
    return kept


def _pointer(reference: Any) -> str:
    return str(reference).replace("#/definitions/", "#/$defs/")
