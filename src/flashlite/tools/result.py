"""The result of a tool call, and how the model reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from ..types import Message, ToolCall, text_part


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool returned, or why it failed.

    `content` is the value that was returned. The model reads text as it is, parts of a message
    (`image_part(…)`, or a list with some) as parts, and anything else as the JSON that it has when
    the result is created. Raises ConfigError for values that JSON cannot hold. `error` is a
    sentence for the model; without `is_error_told`, the model reads only that the call failed.
    `exception` is what was raised, for its traceback. `followed_by` are messages that the model
    reads after all results of its answer, such as those of an agent that took over.
    """

    content: Any = None
    error: str | None = None
    name: str = ""
    call_id: str = ""
    is_error_told: bool = field(default=True, repr=False)
    exception: BaseException | None = field(default=None, repr=False, compare=False)
    followed_by: tuple[Message, ...] = field(default=(), repr=False)
    _said: str | list[dict[str, Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        error = self.error if self.is_error_told else "the call failed"
        said = _say(self.content) if self.error is None else _whole(f"Error: {error}")
        object.__setattr__(self, "_said", said)

    @property
    def result(self) -> Any:
        """Another name for `content`."""
        return self.content

    @property
    def success(self) -> bool:
        """Whether the call succeeded, so that there is no `error`."""
        return self.error is None

    def to_string(self) -> str:
        """Return what the model reads as text; of parts, only their texts."""
        if isinstance(self._said, str):
            return self._said
        return "".join(part.get("text") or "" for part in self._said)

    def to_message(self, call: ToolCall | None = None) -> Message:
        """Return the message that answers `call`, or without one the call that gave this result."""
        call_id, name = (call.id, call.name) if call else (self.call_id, self.name)
        return Message.tool_result(call_id, self._said, name=name or None)


def _say(content: Any) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return _whole(content)
    return _parts(content) or _json(content)


def _parts(content: Any) -> list[dict[str, Any]]:
    """Return a content as a list of parts, empty if it is something else."""
    members = content if isinstance(content, list | tuple) else [content]
    if not any(map(_is_part, members)):
        return []
    if not all(isinstance(member, str) or _is_part(member) for member in members):
        return []
    return [text_part(part) if isinstance(part, str) else dict(part) for part in members]


def _is_part(member: Any) -> bool:
    """Return whether a value is a part: a dict with a type, and its data under that name."""
    if not isinstance(member, Mapping):
        return False
    kind = member.get("type")
    if kind == "text":
        return isinstance(member.get("text"), str)
    return kind in ("image_url", "input_audio", "file") and isinstance(member.get(kind), Mapping)


def _json(content: Any) -> str:
    from pydantic_core import PydanticSerializationError, to_json

    try:
        text = to_json(content, fallback=_in_words, inf_nan_mode="constants").decode()
    except PydanticSerializationError as error:
        raise ConfigError(f"a result is text, parts or what JSON can say: {error}") from error
    # Values that become JSON strings (a date, a path, a table) are given without quotes.
    said: str = json.loads(text) if text.startswith('"') else text
    return said


def _in_words(value: Any) -> str:
    """Return `str(value)`; raises TypeError if that would only be an address in memory."""
    kind: Any = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        raise TypeError(f"{kind.__name__} has no text but its address in memory")
    return str(value)


def _whole(text: str) -> str:
    """Return the text with lone surrogates replaced, because they cannot be sent."""
    return text.encode("utf-8", "replace").decode()
