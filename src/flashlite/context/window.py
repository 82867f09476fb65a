"""Messages that fit a model's context window."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError
from ..models import ModelProfile, lookup
from ..types import Message, MessageInput, normalize_messages
from .tokens import REPLY_TOKENS, TokenCounter, at_most, definitions
from .truncation import Strategy, check_strategy, left_out

log = logging.getLogger("flashlite.context")


def truncate_messages(
    messages: MessageInput,
    max_tokens: int,
    *,
    keep_system: bool = True,
    strategy: Strategy = "sliding",
    model: str | ModelProfile | None = None,
) -> list[Message]:
    """Return the messages that stay in a prompt of at most so many tokens.

    What stays, and what each strategy is, says `context/truncation.py`. Without `keep_system` a
    system message goes like any other. `model` says whose tokens are counted, and its window is a
    limit too. Raises ConfigError where even what must stay is too large.
    """
    window = ContextManager(
        model, max_tokens=max_tokens, strategy=strategy, keep_system=keep_system
    )
    return window.prepare(messages)


class ContextManager:
    """The room that a model has for a prompt, and what fits in.

    `limit` is how many tokens a prompt may have: the smaller of `max_tokens` and the model's
    context window, less the `reserve_tokens` that are left to the answer. Most models have one
    window for both. Where a model is not OpenAI's the count is only nearly right, so a reserve is
    to leave some room for that too.
    """

    def __init__(
        self,
        model: str | ModelProfile | None = None,
        *,
        max_tokens: int | None = None,
        reserve_tokens: int = 0,
        strategy: Strategy = "sliding",
        keep_system: bool = True,
        counter: TokenCounter | None = None,
    ) -> None:
        check_strategy(strategy)
        check_limits(max_tokens, reserve_tokens)
        window = window_of(model, max_tokens)
        if window is None:
            raise ConfigError(
                f"the context window of {name_of(model)!r} is not known: say max_tokens=... or "
                "register_model(name, context_window=...)"
            )
        self.model, self.keep_system = name_of(model), keep_system
        self.strategy: Strategy = strategy
        self.max_tokens, self.reserve_tokens = window, reserve_tokens
        self._counter = counter or TokenCounter()

    @property
    def limit(self) -> int:
        """Tokens that a prompt may have."""
        return self.max_tokens - self.reserve_tokens

    def count_tokens(self, messages: MessageInput) -> int:
        """Return how many tokens a prompt of these messages takes."""
        return self._counter.count(normalize_messages(messages), self.model)

    def fits(self, messages: MessageInput, *, tools: Any = ()) -> bool:
        """Whether nothing has to go; told without a tokenizer where that is clear."""
        prompt, extra = normalize_messages(messages), definitions(tools)
        return at_most(prompt, extra) <= self.limit or self._needed(prompt, extra) <= self.limit

    def prepare(self, messages: MessageInput, *, tools: Any = ()) -> list[Message]:
        """Return what fits of the messages, beside the definitions of `tools`.

        Raises ConfigError where even what must stay is too large.
        """
        prompt = normalize_messages(messages)
        gone = self.left_out(prompt, tools=tools)
        return [message for position, message in enumerate(prompt) if position not in gone]

    def left_out(
        self, messages: Sequence[Message], *, tools: Any = (), fraction: float = 1
    ) -> set[int]:
        """Return the positions of the messages that do not fit.

        Where any have to go, what stays takes at most this fraction of the room, if that can be.
        """
        extra = definitions(tools)
        if at_most(messages, extra) <= self.limit:
            return set()
        sizes = self._counter.sizes(messages, self.model)
        around = REPLY_TOKENS + self._counter.texts(extra, self.model)
        room = self.limit - around
        if sum(sizes) <= room:
            return set()
        gone = left_out(
            messages,
            sizes,
            int(room * fraction),
            strategy=self.strategy,
            keep_system=self.keep_system,
        )
        left = sum(size for position, size in enumerate(sizes) if position not in gone)
        if left > room:
            raise self._too_large(left + around, around - REPLY_TOKENS)
        log.info("%d of %d messages left out, to %d tokens", len(gone), len(sizes), left + around)
        return gone

    def _needed(self, messages: Sequence[Message], extra: Sequence[str]) -> int:
        return self._counter.count(messages, self.model) + self._counter.texts(extra, self.model)

    def _too_large(self, needed: int, for_tools: int) -> ConfigError:
        tools = f", {for_tools} of them for the tools" if for_tools else ""
        return ConfigError(
            f"what must stay of the messages takes {needed} tokens{tools}, and {self.limit} may be "
            f"used (max_tokens={self.max_tokens}, reserve_tokens={self.reserve_tokens}): shorten "
            "the system message or the last messages, or give them more room"
        )


def window_of(model: str | ModelProfile | None, max_tokens: int | None) -> int | None:
    """Return the smaller of a limit and a model's window, None where neither is known."""
    profile = lookup(model) if isinstance(model, str) else model
    known = (max_tokens, profile.context_window if profile else None)
    return min((tokens for tokens in known if tokens is not None), default=None)


def name_of(model: str | ModelProfile | None) -> str | None:
    """Return the name by which a model is asked."""
    return model.full_name if isinstance(model, ModelProfile) else model


def check_limits(max_tokens: int | None, reserve_tokens: int) -> None:
    """Refuse numbers that are none, or leave no room."""
    for name, value, least in (
        ("max_tokens", max_tokens, 1),
        ("reserve_tokens", reserve_tokens, 0),
    ):
        if value is not None and (not isinstance(value, int) or value < least):
            raise ConfigError(f"{name} is a whole number from {least} on; got {value!r:.80}")
