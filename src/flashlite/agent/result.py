"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..conversation import Conversation
from ..tools import ToolResult
from ..types import CompletionResponse, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """One answer of the model, and what came of the calls in it, in their order."""

    response: CompletionResponse
    tool_results: list[ToolResult]

    @property
    def content(self) -> str:
        return self.response.content

    @property
    def tool_calls(self) -> list[ToolCall]:
        return self.response.tool_calls or []

    @property
    def usage(self) -> Usage | None:
        return self.response.usage


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """What came of a run; `conversation` is the agent's memory, which goes on with it.

    `status` is "success" where the model answered, "max_turns" where it wanted to go on, "error"
    where a failed call was to end the run or no answer fits the `response_model`; `error` then says
    what it was. `total_usage` and `total_cost` (US dollars) are those of all turns, None if that of
    any is unknown.
    """

    turns: list[TurnResult]
    conversation: Conversation
    status: Literal["success", "max_turns", "error"]
    error: str | None = None
    total_usage: Usage | None = None
    total_cost: float | None = None

    @property
    def content(self) -> str:
        """The text of the last answer."""
        return self.turns[-1].content

    @property
    def parsed(self) -> Any:
        """The last answer as an instance of the run's `response_model`."""
        return self.turns[-1].response.parsed

    @property
    def num_turns(self) -> int:
        return len(self.turns)

    @property
    def all_tool_calls(self) -> list[ToolCall]:
        return [call for turn in self.turns for call in turn.tool_calls]

    def to_dict(self) -> dict[str, Any]:
        """Return what a reader of the stream is told: neither the memory nor what tools raised."""
        usage = self.total_usage
        return {
            "content": self.content,
            "status": self.status,
            "error": self.error,
            "num_turns": self.num_turns,
            "finish_reason": self.turns[-1].response.finish_reason,
            "usage": None if usage is None else usage.to_dict(),
            "cost": self.total_cost,
        }
