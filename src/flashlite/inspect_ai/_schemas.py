"""From JSON schemas to the subset that Inspect supports.

Inspect's `JSONSchema` (`inspect_ai/util/_json.py`) has no references, no `const`, `oneOf` or
`allOf`, and silently drops what it does not know. They are rewritten here in its terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai.model import ResponseSchema
from inspect_ai.tool import ToolInfo, ToolParams
from inspect_ai.util import JSONSchema


class Recursive(ValueError):
    """A schema refers to itself, so it cannot be written without references."""


def response_schema(wanted: Mapping[str, Any]) -> ResponseSchema:
    """Return the `json_schema` of a response format; raises Recursive."""
    return ResponseSchema(
        name=wanted["name"],
        json_schema=JSONSchema.model_validate(_Writer(wanted["schema"]).write()),
        description=wanted.get("description"),
        strict=wanted.get("strict"),
    )


def fields_with_numbers(schema: Mapping[str, Any]) -> list[str]:
    """Return the fields of an object that may be numbers, or true and false."""
    written = _Writer(schema, is_loose=True).write()
    options = [written, *written.get("anyOf", ())]
    fields = [pair for option in options for pair in option.get("properties", {}).items()]
    return list(dict.fromkeys(name for name, field in fields if _may_be_number(field)))


def _may_be_number(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return False
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    return bool(kinds & _NUMBERS) or any(map(_may_be_number, schema.get("anyOf", ())))


_NUMBERS = {"integer", "number", "boolean"}


def tool_info(tool: Mapping[str, Any]) -> ToolInfo:
    """Return a tool in OpenAI's form as Inspect's; a recursive schema accepts anything."""
    function = tool["function"]
    written = _Writer(function.get("parameters") or {}, is_loose=True).write()
    parameters = {name: written[name] for name in _PARAMETERS if name in written}
    return ToolInfo(
        name=function["name"],
        description=function.get("description") or "",
        parameters=ToolParams.model_validate(parameters),
    )


_PARAMETERS = ("properties", "required", "additionalProperties")


class _Writer:
    """Writes a schema without references; if `is_loose`, recursive parts accept anything."""

    def __init__(self, root: Mapping[str, Any], *, is_loose: bool = False) -> None:
        self._root, self._is_loose = root, is_loose

    def write(self) -> dict[str, Any]:
        written: dict[str, Any] = self._write(self._root, ())
        return written

    def _write(self, schema: Any, inside: tuple[str, ...]) -> Any:
        """Return a schema without references; `inside` are the references being resolved."""
        if not isinstance(schema, Mapping):  # True and False are schemas too
            return schema
        if "$ref" in schema:
            return self._referred(schema, inside)
        written = {name: value for name, value in schema.items() if name not in ("$defs", "const")}
        if "const" in schema:
            written["enum"] = [schema["const"]]
        if "oneOf" in written:
            written["anyOf"] = written.pop("oneOf")
        for part in written.pop("allOf", ()):
            written = {**self._write(part, inside), **written}
        return {name: self._inner(name, value, inside) for name, value in written.items()}

    def _inner(self, name: str, value: Any, inside: tuple[str, ...]) -> Any:
        if name == "properties":
            return {member: self._write(one, inside) for member, one in value.items()}
        if name == "anyOf":
            return [self._write(one, inside) for one in value]
        if name in ("items", "additionalProperties"):
            return self._write(value, inside)
        return value

    def _referred(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
        reference = schema["$ref"]
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        if reference not in inside:
            return self._write({**self._found(reference), **rest}, (*inside, reference))
        if self._is_loose:
            return rest
        raise Recursive(reference)

    def _found(self, reference: str) -> Mapping[str, Any]:
        """Return what a reference, such as pydantic's `#/$defs/Name`, points to."""
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found[step] if step else found
        return dict(found)
