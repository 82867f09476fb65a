"""Messages: dicts in OpenAI's wire form, with named properties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from enum import StrEnum
from typing import Any, Self, TypeAlias

from ..errors import ConfigError
from .content import spelled_out
from .tool_call import ToolCall


class Role(StrEnum):
    """The role of a message's author."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


Content: TypeAlias = str | Sequence[Mapping[str, Any]] | None
"""Text, or a list of parts in OpenAI's wire form (see `types/content.py`)."""


class Message(dict[str, Any]):
    """A chat message in OpenAI's wire form; it equals the plain dict and can be written as JSON.

    Beyond OpenAI's keys an assistant message may carry `reasoning_content` (text) and
    `thinking_blocks` (signed blocks that the provider wants back unchanged).
    """

    @classmethod
    def user(cls, content: Content, *, name: str | None = None) -> Self:
        """Return a user message."""
        return cls._make(Role.USER, content, name=name)

    @classmethod
    def system(cls, content: Content) -> Self:
        """Return a system message."""
        return cls._make(Role.SYSTEM, content)

    @classmethod
    def assistant(
        cls,
        content: Content = None,
        *,
        tool_calls: Iterable[ToolCall | Mapping[str, Any]] = (),
        name: str | None = None,
        **extra: Any,
    ) -> Self:
        """Return an assistant message; `extra` takes `reasoning_content`, `refusal` and so on."""
        calls = [
            call.to_dict() if isinstance(call, ToolCall) else dict(call) for call in tool_calls
        ]
        return cls._make(Role.ASSISTANT, content, name=name, tool_calls=calls or None, **extra)

    @classmethod
    def tool_result(cls, tool_call_id: str, content: Content, *, name: str | None = None) -> Self:
        """Return the message with the result of a tool call."""
        return cls._make(Role.TOOL, content, tool_call_id=tool_call_id, name=name)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a plain dict; raises ConfigError if it is not a valid message."""
        role = data.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise ConfigError(f"a message needs a role out of {', '.join(Role)}; got {role!r}")
        content = data.get("content")
        if not _is_content(content) or (content is None and role in _SPEAKERS):
            raise ConfigError(f"content is a text or a list of parts (dicts); got {content!r:.80}")
        message = cls(data)
        if type(content) is not str or not _PLAIN.issuperset(data):  # most messages are only a text
            message._check_calls()
            message._own_lists()
        return message

    def to_dict(self) -> dict[str, Any]:
        """Return the message as a plain dict."""
        return dict(self)

    @property
    def role(self) -> Role:
        """The role of the author."""
        return _ROLES[self["role"]]

    @property
    def content(self) -> Any:
        """A text, a list of parts, or None."""
        return self.get("content")

    @property
    def text(self) -> str:
        """The text of the content, whether it is a string or a list of parts."""
        content = self.get("content")
        if content is None or isinstance(content, str):
            return content or ""
        return "".join(part.get("text") or "" for part in content)

    @property
    def name(self) -> str | None:
        """The name of the author, if any."""
        return self.get("name")

    @property
    def tool_calls(self) -> list[ToolCall] | None:
        """The tool calls of an assistant message, None if there are none."""
        calls = self.get("tool_calls")
        return [ToolCall.from_dict(call) for call in calls] if calls else None

    @property
    def tool_call_id(self) -> str | None:
        """The id of the call that a tool message answers, None for other messages."""
        return self.get("tool_call_id")

    @classmethod
    def _make(cls, role: Role, content: Content, **rest: Any) -> Self:
        given = {key: value for key, value in rest.items() if value is not None}
        return cls(role=role.value, content=content, **given)

    def _check_calls(self) -> None:
        """Raise ConfigError for calls, ids and blocks that no provider could read."""
        if not isinstance(self.get("tool_call_id"), str | None):
            raise ConfigError(f"tool_call_id is a text; got {self['tool_call_id']!r:.80}")
        for name in ("tool_calls", "thinking_blocks"):
            items = self.get(name) or ()
            if not isinstance(items, list | tuple) or not all(map(_is_mapping, items)):
                raise ConfigError(f"{name} is a list of dicts; got {items!r:.80}")
        for call in self.get("tool_calls") or ():
            function = call.get("function", call)
            if not _is_mapping(function) or not isinstance(function.get("name", ""), str):
                raise ConfigError(f"a tool call has a function with a name; got {call!r:.80}")

    def _own_lists(self) -> None:
        """Copy what a caller may change while the call waits for its turn."""
        for name in ("content", "tool_calls"):
            if not isinstance(self.get(name), str | None):
                self[name] = deepcopy(self[name])
        if not isinstance(self.content, str | None):
            self["content"] = [spelled_out(part) for part in self.content]


_SPEAKERS = frozenset({"system", "developer", "user"})  # their messages need content
_PLAIN = frozenset({"role", "content", "name"})


def _is_mapping(value: Any) -> bool:
    return isinstance(value, (dict, Mapping))  # asking for a dict first is faster


def _is_content(content: Any) -> bool:
    if content is None or isinstance(content, str):
        return True
    return isinstance(content, list | tuple) and all(map(_is_part, content))


def _is_part(part: Any) -> bool:
    return _is_mapping(part) and isinstance(part.get("text"), str | None)


MessageInput: TypeAlias = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
"""The messages of a call: a text, one message, or a list of either."""

_ROLES = {role.value: role for role in Role}  # a look-up is five times faster than Role(...)


def normalize_messages(messages: MessageInput) -> tuple[Message, ...]:
    """Return a caller's input as messages; raises ConfigError if it has none or invalid ones."""
    if isinstance(messages, (str, dict, Mapping)):
        messages = [messages] if messages else []
    if not isinstance(messages, Iterable):
        raise ConfigError(f"messages are a text or a list; got {type(messages).__name__}")
    normal = tuple(_normalize(message) for message in messages)
    if not normal:
        raise ConfigError("no messages: pass a text or a non-empty list of messages")
    return normal


def _normalize(message: str | Mapping[str, Any]) -> Message:
    if isinstance(message, str):
        return Message.user(message)
    if _is_mapping(message):
        return Message.from_dict(message)
    raise ConfigError(f"a message is a text or a dict with a role; got {type(message).__name__}")


user_message = Message.user
system_message = Message.system
assistant_message = Message.assistant
