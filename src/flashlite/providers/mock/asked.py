"""Checks of a request's body by a mock model, which refuses what a real server would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAMES = {
    str: "a string", bool: "a boolean", int: "an integer", float: "a decimal", list: "an array",
    tuple: "an array", dict: "an object", type(None): "null",
}  # fmt: skip
_UNREADABLE = "We could not parse the JSON body of your request: it has to be an object."
_MOST_CHOICES = 128


class Refused(Exception):
    """The mock cannot serve this request; `param` is the invalid field."""

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status


def check(body: Any) -> None:
    """Raise Refused for an invalid request; a valid one can be read without further checks."""
    if not isinstance(body, Mapping):
        raise Refused(_UNREADABLE)
    if body.get("messages") is None:
        raise Refused(
            "Missing required parameter: 'messages'.",
            param="messages",
            code="missing_required_parameter",
        )
    for message, place in _objects(body["messages"], "messages"):
        _expect(message.get("role"), (str,), f"{place}.role")
        _check_content(message.get("content"), f"{place}.content")
    for tool, place in _objects(body.get("tools") or [], "tools"):
        _check_tool(tool, place)
    _expect(body.get("tool_choice"), (str, Mapping, type(None)), "tool_choice")
    _check_format(body.get("response_format"))
    for name in ("n", "max_tokens", "max_completion_tokens"):
        _check_count(body.get(name), name)
    if (body.get("n") or 1) > _MOST_CHOICES:
        raise Refused(f"Invalid 'n': at most {_MOST_CHOICES} choices are possible.", param="n")
    _expect(body.get("stream_options"), (Mapping, type(None)), "stream_options")


def functions(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the functions among the tools of a checked body."""
    return [tool["function"] for tool in body.get("tools") or () if _is_function(tool)]


def _check_content(content: Any, place: str) -> None:
    if content is None or isinstance(content, str):
        return
    for part, inner in _objects(content, place):
        _expect(part.get("type"), (str,), f"{inner}.type")
        if part["type"] == "text":
            _expect(part.get("text"), (str,), f"{inner}.text")


def _check_tool(tool: Mapping[str, Any], place: str) -> None:
    if _is_function(tool):
        function = tool.get("function")
        _expect(function, (Mapping,), f"{place}.function")
        assert isinstance(function, Mapping)
        _expect(function.get("name"), (str,), f"{place}.function.name")
        parameters = function.get("parameters")
        _expect(parameters, (Mapping, type(None)), f"{place}.function.parameters")


def _is_function(tool: Mapping[str, Any]) -> bool:
    """Return whether a tool is a function; hosts also have tools of their own."""
    return bool(tool.get("type", "function") == "function")


def _check_format(wanted: Any) -> None:
    _expect(wanted, (Mapping, type(None)), "response_format")
    if wanted and wanted.get("type") == "json_schema":
        _expect(wanted.get("json_schema"), (Mapping,), "response_format.json_schema")
        schema = wanted["json_schema"].get("schema")
        _expect(schema, (Mapping, bool, type(None)), "response_format.json_schema.schema")


def _check_count(value: Any, name: str) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise Refused(
            f"Invalid value for '{name}': expected a whole number of at least 1.", param=name
        )


def _objects(values: Any, place: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the members of an array of objects, each with its path."""
    _expect(values, (list, tuple), place)
    for position, value in enumerate(values):
        _expect(value, (Mapping,), f"{place}[{position}]")
        yield value, f"{place}[{position}]"


def _expect(value: Any, kinds: Sequence[type], place: str) -> None:
    if isinstance(value, tuple(kinds)):
        return
    wanted = _NAMES.get(kinds[0], "an object")
    got = _NAMES.get(type(value), type(value).__name__)
    message = f"Invalid type for '{place}': expected {wanted}, but got {got} instead."
    raise Refused(message, param=place, code="invalid_type")
