"""How an agent goes about its work."""

from __future__ import annotations

from dataclasses import dataclass

from ..context import check_limits
from ..errors import ConfigError
from ..tools.tool import checked_timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """How long an agent works, how it runs tools, and how much it reads.

    A run has at most `max_turns` answers of the model; the calls of the last one are not run, for
    nobody would read what came of them. Of one answer at most `max_tool_calls_per_turn` calls are
    run, each for `tool_timeout` seconds unless the tool has a timeout of its own.

    `max_tokens` is how long a prompt may be, less `reserve_tokens` that are left to the answer;
    where there are more, the conversation leaves out some. It is not the length of an answer, which
    is an option of a run.

    `stop_on_tool_error` ends a run at the first failed call. Without
    `include_tool_errors_in_context` the model reads that a call failed, and not how. Without
    `stream_tool_calls` a stream has no TOOL_CALL events.
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
            if (most := getattr(self, name)) < 1:
                raise ConfigError(f"{name} is at least 1; got {most}")
        checked_timeout(self.tool_timeout)
        check_limits(self.max_tokens, self.reserve_tokens)
        if self.max_tokens is not None and self.max_tokens <= self.reserve_tokens:
            raise ConfigError(
                f"reserve_tokens={self.reserve_tokens} leaves nothing of "
                f"max_tokens={self.max_tokens}: say less, or give more"
            )
