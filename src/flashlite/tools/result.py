"""What came of a tool call, and how the model reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from ..types import Message, ToolCall, text_part


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool returned, or why it did not.

    `content` is the value as it was returned. The model reads text as it stands, parts of a
    message (`image_part(…)`, or a list with some) as parts, and anything else as JSON; what that
    is, is settled when the result is made. Raises ConfigError for what JSON cannot say. `error` is
    a sentence for the model, which reads only that there was one without `is_error_told`;
    `exception` is what was raised, for whoever wants the traceback. `followed_by` are messages that
    the model reads behind all results of its answer: what was said by whoever took over.
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
        return self.error is None

    def to_string(self) -> str:
        """Return what the model reads, as text: of parts that is the text in them."""
        if isinstance(self._said, str):
            return self._said
        return "".join(part.get("text") or "" for part in self._said)

    def to_message(self, call: ToolCall | None = None) -> Message:
        """Return the message that answers a call: the one that this came of, or another."""
        call_id, name = (call.id, call.name) if call else (self.call_id, self.name)
        return Message.tool_result(call_id, self._said, name=name or None)


def _say(content: Any) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return _whole(content)
    return _parts(content) or _json(content)


def _parts(content: Any) -> list[dict[str, Any]]:
    """Return the parts that a content is; none if it is something else."""
    members = content if isinstance(content, list | tuple) else [content]
    if not any(map(_is_part, members)):
        return []
    if not all(isinstance(member, str) or _is_part(member) for member in members):
        return []
    return [text_part(part) if isinstance(part, str) else dict(part) for part in members]


def _is_part(member: Any) -> bool:
    """Whether a value is a part: it has a type, and under that name what it holds."""
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
    # What JSON has only texts for (a date, a path, a table) needs no quotes.
    said: str = json.loads(text) if text.startswith('"') else text
    return said


def _in_words(value: Any) -> str:
    """Return how a value shows itself; one that has only an address in memory does not."""
    kind: Any = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        raise TypeError(f"{kind.__name__} has no text but its address in memory")
    return str(value)


def _whole(text: str) -> str:
    """Return the text without halves of emojis, which nothing could send."""
    return text.encode("utf-8", "replace").decode()
