"""A model's call of a tool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


class FunctionCall(NamedTuple):
    """OpenAI's form of a call: `arguments` is the model's JSON text."""

    name: str
    arguments: str


class ToolCall:
    """One tool call that the model asks for.

    `arguments` is always a dict. `arguments_json` is the model's text byte for byte, because
    prompt caches compare bytes. If the text is not a JSON object, `arguments` is empty and
    `parse_error` says why, so that a tool loop can tell the model.
    """

    __slots__ = ("arguments", "arguments_json", "id", "name", "parse_error")

    def __init__(self, id: str, name: str, arguments: str | Mapping[str, Any] = "") -> None:
        self.id = id
        self.name = name
        self.parse_error: str | None = None
        if isinstance(arguments, Mapping):
            self.arguments = dict(arguments)
            self.arguments_json = json.dumps(self.arguments, ensure_ascii=False)
        else:  # text; another JSON value, as some servers send, is also the model's mistake
            is_text = isinstance(arguments, str)
            self.arguments_json = arguments if is_text else json.dumps(arguments)
            self.arguments, self.parse_error = _parse(self.arguments_json)

    @property
    def function(self) -> FunctionCall:
        """The call in OpenAI's form: `.function.name` and `.function.arguments` (text)."""
        return FunctionCall(self.name, self.arguments_json)

    def parse_arguments(self) -> dict[str, Any]:
        """Return `arguments`, or raise ValueError if the model's text is not a JSON object."""
        if self.parse_error is not None:
            raise ValueError(self.parse_error)
        return self.arguments

    def to_dict(self) -> dict[str, Any]:
        """Return the call in OpenAI's wire form."""
        # Some providers send an empty text for {}; others refuse that, as it is not JSON.
        function = {"name": self.name, "arguments": self.arguments_json or "{}"}
        return {"id": self.id, "type": "function", "function": function}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read OpenAI's wire form, or the flat `{id, name, arguments}`."""
        function = data.get("function") or data
        return cls(
            data.get("id") or "", function.get("name") or "", function.get("arguments") or ""
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToolCall):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.id, self.name, self.arguments_json))

    def __repr__(self) -> str:
        return f"ToolCall(id={self.id!r}, name={self.name!r}, arguments={self.arguments_json!r})"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a streamed call: `arguments` is the text that this piece adds."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


def _parse(text: str) -> tuple[dict[str, Any], str | None]:
    if not text.strip():
        return {}, None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, f"the arguments are not valid JSON ({error}): {text[:200]}"
    if not isinstance(value, dict):
        return {}, f"the arguments are not a JSON object: {text[:200]}"
    return value, None
