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

    A prompt has at most `max_tokens`, and no more than the model's context window if that is known,
    less the `reserve_tokens` left for the answer. `truncation_strategy` decides which messages are
    left out beyond that (see `context/truncation.py`); "summarize" leaves out the same as "sliding"
    and puts a summary in their place, written by `summary_model`, or without one by the model that
    answers.
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
        """Return the limits of a model's prompts, None if there are none."""
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
    """Return the value given under either of two names; raises ConfigError if both are given."""
    if value is not None and other is not None:
        raise ConfigError(f"{name} and {other_name} are the same: give one of them")
    return other if value is None else value
