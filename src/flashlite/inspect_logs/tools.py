"""Tools, from our form to Inspect's, as JSON (`inspect_ai/tool/_tool_info.py`).

Inspect reads a schema strictly: one unknown keyword makes the whole log unreadable. So everything
that Inspect lacks is left out here; the raw call has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from .plain import Fragment, encode, plain

_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_DEEPEST = 20  # nested schemas


def to_tools(tools: Sequence[Mapping[str, Any]]) -> Fragment:
    """Return the tools that a model may call, in Inspect's form."""
    try:
        return _spelled(orjson.dumps(tools))
    except TypeError:  # half an emoji, or a value that is not JSON
        return _spelled(orjson.dumps(plain(tools)))


def to_tool_choice(choice: Any) -> Any:
    """Return a tool choice in Inspect's form."""
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        return {"name": str(name)}
    words = {"required": "any", "none": "none"}
    return words.get(choice, "auto") if isinstance(choice, str) else "auto"


@lru_cache(maxsize=256)
def _spelled(tools: bytes) -> Fragment:
    return Fragment(encode([_tool(tool) for tool in orjson.loads(tools)]))


def _tool(tool: Any) -> dict[str, Any]:
    tool = tool if isinstance(tool, dict) else {}
    function = tool.get("function")
    function = function if isinstance(function, dict) else tool
    parameters = _schema(function.get("parameters"), 0)
    allowed = {"properties", "required", "additionalProperties"}
    return {
        "name": str(function.get("name") or tool.get("type") or ""),
        "description": str(function.get("description") or ""),
        "parameters": {"type": "object"}
        | {name: value for name, value in parameters.items() if name in allowed},
    }


def _schema(value: Any, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict) or depth > _DEEPEST:
        return {}
    known = {
        name: value[name] for name, fits in _PLAIN.items() if name in value and fits(value[name])
    }
    for name in ("items", "additionalProperties"):
        if isinstance(value.get(name), dict):
            known[name] = _schema(value[name], depth + 1)
    if isinstance(properties := value.get("properties"), dict):
        known["properties"] = {n: _schema(member, depth + 1) for n, member in properties.items()}
    options = value.get("anyOf", value.get("oneOf"))
    if isinstance(options, list):
        known["anyOf"] = [_schema(option, depth + 1) for option in options]
    return known


def _is_type(value: Any) -> bool:
    return all(isinstance(v, str) and v in _TYPES for v in _listed(value)) and value != []


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "format": _is_text,
    "description": _is_text,
    "default": lambda value: value is not None,
    "enum": lambda value: isinstance(value, list),
    "examples": lambda value: isinstance(value, list),
    "required": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "additionalProperties": lambda value: isinstance(value, bool),
    "pattern": _is_text,
    "minLength": _is_count,
    "maxLength": _is_count,
    "minimum": _is_number,
    "maximum": _is_number,
}
