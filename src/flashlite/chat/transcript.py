"""What was said in a chat: by whom, to whom, and how it came about."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from ..types import Message, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEntry:
    """One thing that was said.

    `content` is what others read: text, or a list of parts in OpenAI's wire form. `visible_to` are
    those who read it beside its author; None is everybody, also who joins later.

    An agent's turn has `messages` too: all that its model said and the results of its calls, as
    the agent itself reads them later. `seen` is how many entries the transcript had when the turn
    began, so that a view can tell what its author did not know yet. `usage` and `cost` (US dollars,
    None if any part is unknown) are those of all answers of the turn. `finish_reason` is that of
    the last one: "tool_calls" where the model wanted to go on. `time` is in seconds since 1970.
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
        """Whether a model said this; False for what `add_message` put in."""
        return bool(self.messages)

    @property
    def text(self) -> str:
        return Message(content=self.content).text

    @property
    def tool_calls(self) -> list[ToolCall]:
        return [call for message in self.messages for call in message.tool_calls or ()]

    @property
    def tool_results(self) -> list[Message]:
        """The results of the calls, as the model read them, in the order of the calls."""
        return [message for message in self.messages if message["role"] == "tool"]

    @property
    def reasoning(self) -> str | None:
        """What the model thought before its last answer, where the provider shows it."""
        return self.messages[-1].get("reasoning_content") if self.messages else None

    def is_visible_to(self, name: str) -> bool:
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
        """Read what `to_dict()` wrote; names that this version does not know are left out."""
        known = {spec.name: data[spec.name] for spec in fields(cls) if spec.name in data}
        known["messages"] = tuple(map(Message.from_dict, data.get("messages", ())))
        if "visible_to" in data:
            known["visible_to"] = tuple(data["visible_to"])
        if "usage" in data:
            known["usage"] = Usage.from_dict(data["usage"])
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStats:
    """What an agent's turns in a transcript come to.

    `tokens` and `cost` (US dollars) are None where those of any turn are unknown.
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
