"""The result of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..conversation import Conversation
from ..tools import ToolResult
from ..types import CompletionResponse, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """One answer of the model, with the results of its tool calls in their order."""

    response: CompletionResponse
    tool_results: list[ToolResult]

    @property
    def content(self) -> str:
        """The text of the answer."""
        return self.response.content

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the answer."""
        return self.response.tool_calls or []

    @property
    def usage(self) -> Usage | None:
        """What the answer used, None if unknown."""
        return self.response.usage


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """The result of a run; `conversation` is the agent's memory itself, which later runs extend.

    `status` is "success" if the model answered, "max_turns" if it still called tools when the turns
    ran out, and "error" if a tool call failed under `stop_on_tool_error` or the last answer is no
    instance of the `response_model`. Unless it is "success", `error` says why. `total_usage` and
    `total_cost` (US dollars) are the sums of all turns, None if those of any turn are unknown.
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
        """The number of the model's answers."""
        return len(self.turns)

    @property
    def all_tool_calls(self) -> list[ToolCall]:
        """The tool calls of all turns, in their order."""
        return [call for turn in self.turns for call in turn.tool_calls]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON for readers of a stream, without memory and turns."""
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
