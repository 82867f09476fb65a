"""The entries of a chat: who said what to whom, and how it came about."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from ..types import Message, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEntry:
    """One thing that was said.

    `content` is what others read: text, or a list of parts in OpenAI's wire form. `visible_to`
    names who may read it beside its author; None means everybody, including those who join later.

    An agent's turn also has `messages`: everything that its model said and the results of its tool
    calls, as the agent itself reads them later. `seen` is the number of entries in the transcript
    when the turn began, so that views can tell what its author did not know yet. `usage` and `cost`
    (US dollars, None if any part is unknown) are the sums over all answers of the turn.
    `finish_reason` is that of the last answer: "tool_calls" if the model wanted to go on. `time` is
    in seconds since 1970.
    """

    author: str
    content: str | list[dict[str, Any]]
    visible_to: tuple[str, ...] | None = None
    messages: tuple[Message, ...] = ()
    seen: int = 0
    additional_context: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    time: float = field(default_factory=time.time, compare=False)

    @property
    def is_turn(self) -> bool:
        """Whether a model said this; False for messages from `add_message`."""
        return bool(self.messages)

    @property
    def text(self) -> str:
        """The text of the content, without other parts."""
        return Message(content=self.content).text

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the turn, in their order."""
        return [call for message in self.messages for call in message.tool_calls or ()]

    @property
    def tool_results(self) -> list[Message]:
        """The results of the tool calls, as the model read them, in the order of the calls."""
        return [message for message in self.messages if message["role"] == "tool"]

    @property
    def reasoning(self) -> str | None:
        """The model's reasoning before its last answer, if the provider shows it."""
        return self.messages[-1].get("reasoning_content") if self.messages else None

    def is_visible_to(self, name: str) -> bool:
        """Return whether somebody of this name may read the entry."""
        return self.visible_to is None or name == self.author or name in self.visible_to

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain JSON."""
        wire = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        wire["messages"] = [message.to_dict() for message in self.messages]
        wire["metadata"] = dict(self.metadata)
        wire["usage"] = self.usage.to_dict() if self.usage else None
        return {name: value for name, value in wire.items() if value not in (None, {}, [])}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict()` returned; fields that this version does not know are ignored."""
        known = {spec.name: data[spec.name] for spec in fields(cls) if spec.name in data}
        known["messages"] = tuple(map(Message.from_dict, data.get("messages", ())))
        if "visible_to" in data:
            known["visible_to"] = tuple(data["visible_to"])
        if "usage" in data:
            known["usage"] = Usage.from_dict(data["usage"])
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStats:
    """The totals of an agent's turns in a transcript.

    `tokens` and `cost` (US dollars) are None if those of any turn are unknown.
    """

    turns: int = 0
    tool_calls: int = 0
    tokens: int | None = 0
    cost: float | None = 0.0

    @classmethod
    def of(cls, entries: Iterable[ChatEntry]) -> Self:
        """Add up the turns among these entries."""
        turns = [entry for entry in entries if entry.is_turn]
        usages = [turn.usage for turn in turns]
        costs = [turn.cost for turn in turns]
        return cls(
            turns=len(turns),
            tool_calls=sum(len(turn.tool_calls) for turn in turns),
            tokens=_known_sum(usage.total_tokens if usage else None for usage in usages),
            cost=_known_sum(costs, 0.0),
        )


def _known_sum(numbers: Iterable[Any], start: Any = 0) -> Any:
    numbers = list(numbers)
    return None if None in numbers else sum(numbers, start)
