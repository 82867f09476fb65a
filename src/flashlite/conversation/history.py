"""The messages of a conversation, with methods to read and change them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from ..context import head_length, open_calls
from ..errors import ConfigError
from ..types import Message, Role, ToolCall, normalize_messages


class History:
    """Messages in order, the system message first if there is one.

    Every message that is added becomes a `Message`. Nothing can be changed while an answer is
    pending, because the answer would then follow messages that it does not answer.
    """

    def __init__(self, messages: Iterable[Mapping[str, Any]] = ()) -> None:
        self._history = [_own(message) for message in messages]
        self._is_answering = False

    @property
    def messages(self) -> list[Message]:
        """All messages, as a new list."""
        return list(self._history)

    @property
    def _messages(self) -> list[Message]:
        """All messages; setting a list without a system message keeps the current one."""
        return self._history

    @_messages.setter
    def _messages(self, messages: Iterable[Mapping[str, Any]]) -> None:
        given = [_own(message) for message in messages]
        head = [] if head_length(given) else self._history[: head_length(self._history)]
        self._open()[:] = [*head, *given]

    @property
    def system_message(self) -> Any:
        """The content of the system message, None if there is none; setting None removes it."""
        return self._history[0].content if head_length(self._history) else None

    @system_message.setter
    def system_message(self, content: str | Sequence[Mapping[str, Any]] | None) -> None:
        new = [] if content is None else [Message.system(content)]
        self._open()[: min(1, head_length(self._history))] = new

    system_prompt = system_message

    def add(self, message: Mapping[str, Any]) -> None:
        """Add one message; it is copied."""
        self._open().append(_own(message))

    def extend(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Add several messages, or none of them if one is invalid."""
        self._open()
        self.gain(messages)

    def add_user(
        self, content: str | Sequence[Mapping[str, Any]], *, name: str | None = None
    ) -> None:
        """Add what a user says: text, or a list of parts."""
        self.add(Message.user(content, name=name))

    def add_assistant(
        self, content: str | Sequence[Mapping[str, Any]] | None, **extra: Any
    ) -> None:
        """Add an answer; `extra` has its other fields, as in `Message.assistant`."""
        self.add(Message.assistant(content, **extra))

    def add_system(self, content: str | Sequence[Mapping[str, Any]]) -> None:
        """Add a system message at the end of the history."""
        self.add(Message.system(content))

    def add_assistant_with_tools(
        self, content: str | None, tool_calls: Iterable[ToolCall | Mapping[str, Any]]
    ) -> None:
        """Add an answer that calls tools."""
        self.add(Message.assistant(content, tool_calls=tool_calls))

    def add_tool_result(
        self,
        tool_call_id: str,
        content: str | Sequence[Mapping[str, Any]],
        *,
        name: str | None = None,
    ) -> None:
        """Add the result of a tool call."""
        self.add(Message.tool_result(tool_call_id, content, name=name))

    def get_last_message(self) -> Message | None:
        """Return the last message, None if there is none."""
        return self._history[-1] if self._history else None

    def get_last_user_message(self) -> Message | None:
        """Return the last user message, None if there is none."""
        return self._last(Role.USER)

    def get_last_assistant_message(self) -> Message | None:
        """Return the last assistant message, None if there is none."""
        return self._last(Role.ASSISTANT)

    @property
    def iteration(self) -> int:
        """The number of answers (assistant messages)."""
        return sum(message["role"] == Role.ASSISTANT for message in self._history)

    def rollback(self, turns: int = 1) -> list[Message]:
        """Remove and return the last turns; a turn starts at a user message."""
        history = self._open()
        starts = [n for n, message in enumerate(history) if message["role"] == Role.USER]
        if not 0 <= turns <= len(starts):
            raise ConfigError(f"there are {len(starts)} turns to take back; got turns={turns}")
        start = starts[-turns] if turns else len(history)
        taken, history[start:] = history[start:], []
        return taken

    def clear(self) -> None:
        """Forget everything but the system message."""
        history = self._open()
        del history[head_length(history) :]

    def format_history(self, max_messages: int | None = None) -> str:
        """Return the last `max_messages`, or all, as readable text: `role: what was said`."""
        start = 0 if max_messages is None else max(0, len(self) - max_messages)
        return "\n".join(map(as_text, self._history[start:]))

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Block all changes of the history inside the block, except by `gain`.

        Raises ConfigError if another answer is pending or if tool calls have no results.
        """
        if missing := open_calls(self._open()):
            raise ConfigError(
                f"the calls {', '.join(missing)} have no results: add_tool_result(...) for each, "
                "right behind them, or rollback()"
            )
        self._is_answering = True
        try:
            yield
        finally:
            self._is_answering = False

    def gain(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Add what was said and answered, even while other changes are blocked."""
        self._history.extend([_own(message) for message in messages])

    def __len__(self) -> int:
        return len(self._history)

    def __bool__(self) -> bool:
        return True  # true even if it is empty

    def __getitem__(self, index: int) -> Message:
        return self._history[index]

    def _last(self, role: Role) -> Message | None:
        return next((m for m in reversed(self._history) if m["role"] == role), None)

    def _open(self) -> list[Message]:
        """Return the messages for a change; raises ConfigError while an answer is pending."""
        if self._is_answering:
            raise ConfigError(
                "this conversation waits for an answer: await it first, close its stream "
                "(contextlib.aclosing), or go on with a fork()"
            )
        return self._history

    def _copies(self) -> list[Message]:
        return [_copy(message) for message in self._history]


def message_of(said: Any) -> Message:
    """Return a message from a user's text, a list of parts, or a whole message."""
    if isinstance(said, Mapping) and "role" in said:
        return Message.from_dict(said)
    return Message.from_dict({"role": Role.USER.value, "content": said})


def as_text(message: Message) -> str:
    """Return a message as readable text: the role, the text, the calls and the kinds of media."""
    content = message.get("content")
    parts = [] if content is None or isinstance(content, str) else content
    said = [content] if isinstance(content, str) else [_as_text(part) for part in parts]
    said += [f"[calls {call.name}({call.arguments_json})]" for call in message.tool_calls or ()]
    who = f"{message['role']} ({name})" if (name := message.get("name")) else message["role"]
    return f"{who}: {' '.join(filter(None, said))}"


def _as_text(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else f"[{part.get('type', 'part')}]"


def _own(message: Any) -> Message:
    """Return a caller's message as a `Message` that shares nothing with the original."""
    [read] = normalize_messages([message])
    return _copy(read)


def _copy(message: Message) -> Message:
    return Message({key: v if isinstance(v, str) else deepcopy(v) for key, v in message.items()})
