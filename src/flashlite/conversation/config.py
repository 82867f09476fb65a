"""How much of a conversation the model gets to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ..context import (
    ContextManager,
    Strategy,
    TokenCounter,
    check_limits,
    check_strategy,
    window_of,
)
from ..errors import ConfigError

TruncationStrategy: TypeAlias = Strategy | Literal["summarize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationConfig:
    """How much of a conversation the model gets to read.

    A prompt has at most `max_tokens`, and at most what the model's context window takes as far as
    that is known, less the `reserve_tokens` that are left to the answer. `truncation_strategy` says
    which messages are left out when there are more (see `context/truncation.py`); "summarize"
    leaves out what "sliding" does, and puts a summary in its place that the model writes, or
    `summary_model` where one is named.
    """

    max_tokens: int | None = None
    truncation_strategy: TruncationStrategy = "sliding"
    reserve_tokens: int = 0
    summary_model: str | None = None

    def __post_init__(self) -> None:
        check_strategy(self.truncation_strategy, (*get_args(Strategy), "summarize"))
        check_limits(self.max_tokens, self.reserve_tokens)
        if self.max_tokens is not None and self.reserve_tokens >= self.max_tokens:
            raise ConfigError(
                f"reserve_tokens={self.reserve_tokens} leaves nothing of "
                f"max_tokens={self.max_tokens}"
            )

    def window(self, model: str | None, counter: TokenCounter) -> ContextManager | None:
        """Return the room that a model's prompts have, None where nothing limits them."""
        if window_of(model, self.max_tokens) is None:
            return None
        cut = self.truncation_strategy
        return ContextManager(
            model,
            max_tokens=self.max_tokens,
            reserve_tokens=self.reserve_tokens,
            strategy="sliding" if cut == "summarize" else cut,
            counter=counter,
        )


def one_of(name: str, value: Any, other_name: str, other: Any) -> Any:
    """Return what was given under either of two names; raises ConfigError for both."""
    if value is not None and other is not None:
        raise ConfigError(f"{name} and {other_name} are the same: give one of them")
    return other if value is None else value
