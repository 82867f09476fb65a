"""The limits and settings of an agent's runs."""

from __future__ import annotations

from dataclasses import dataclass

from ..context import check_limits
from ..conversation.arguments import check_count
from ..errors import ConfigError
from ..tools.tool import checked_timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """How long an agent works, how it runs tools, and how much it reads.

    A run has at most `max_turns` answers of the model; tool calls in the last one are not run,
    because the model would not read their results. At most `max_tool_calls_per_turn` calls of one
    answer are run, each for at most `tool_timeout` seconds unless the tool has its own timeout.

    A prompt has at most `max_tokens`, less the `reserve_tokens` left for the answer; the
    conversation leaves out messages beyond that. This is not the length of an answer, which is an
    option of a run.

    `stop_on_tool_error` ends a run at the first failed call. Without
    `include_tool_errors_in_context`, the model reads only that a call failed, not why. Without
    `stream_tool_calls`, a stream has no TOOL_CALL events.
    """

    max_turns: int = 10
    max_tool_calls_per_turn: int = 10
    parallel_tool_execution: bool = True
    tool_timeout: float | None = 30.0
    max_tokens: int | None = None
    reserve_tokens: int = 2000
    stop_on_tool_error: bool = False
    include_tool_errors_in_context: bool = True
    stream_tool_calls: bool = True

    def __post_init__(self) -> None:
        for name in ("max_turns", "max_tool_calls_per_turn"):
            check_count(name, getattr(self, name), 1)
        checked_timeout(self.tool_timeout)
        check_limits(self.max_tokens, self.reserve_tokens)
        if self.max_tokens is not None and self.max_tokens <= self.reserve_tokens:
            raise ConfigError(
                f"reserve_tokens={self.reserve_tokens} leaves nothing of "
                f"max_tokens={self.max_tokens}: say less, or give more"
            )
