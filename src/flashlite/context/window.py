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
    """Return the messages that fit in a prompt of at most `max_tokens`.

    `context/truncation.py` describes the strategies and which messages are always kept. Without
    `keep_system`, a system message can be left out like any other. `model` selects the tokenizer,
    and its context window is a limit too. Raises ConfigError if even the messages that are always
    kept do not fit.
    """
    window = ContextManager(
        model, max_tokens=max_tokens, strategy=strategy, keep_system=keep_system
    )
    return window.prepare(messages)


class ContextManager:
    """The limit of a model's prompts, and which messages fit it.

    `limit` is how many tokens a prompt may have: the smaller of `max_tokens` and the model's
    context window, less the `reserve_tokens` left for the answer. Most models have one window for
    both. Token counts are only approximate for models that are not OpenAI's, so the reserve should
    allow for that too.
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
        """The number of tokens that a prompt may have."""
        return self.max_tokens - self.reserve_tokens

    def count_tokens(self, messages: MessageInput) -> int:
        """Return how many tokens a prompt of these messages takes."""
        return self._counter.count(normalize_messages(messages), self.model)

    def fits(self, messages: MessageInput, *, tools: Any = ()) -> bool:
        """Return whether all messages fit; uses no tokenizer if the bytes already show it."""
        prompt, extra = normalize_messages(messages), definitions(tools)
        return at_most(prompt, extra) <= self.limit or self._needed(prompt, extra) <= self.limit

    def prepare(self, messages: MessageInput, *, tools: Any = ()) -> list[Message]:
        """Return the messages that fit, beside the definitions of `tools`.

        Raises ConfigError if even the messages that are always kept do not fit.
        """
        prompt = normalize_messages(messages)
        gone = self.left_out(prompt, tools=tools)
        return [message for position, message in enumerate(prompt) if position not in gone]

    def left_out(
        self, messages: Sequence[Message], *, tools: Any = (), fraction: float = 1
    ) -> set[int]:
        """Return the positions of the messages to leave out; raises ConfigError as `prepare` does.

        If any are left out, the rest takes at most this `fraction` of the room, if possible.
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
    """Return the smaller of a limit and a model's window, None if neither is known."""
    profile = lookup(model) if isinstance(model, str) else model
    known = (max_tokens, profile.context_window if profile else None)
    return min((tokens for tokens in known if tokens is not None), default=None)


def name_of(model: str | ModelProfile | None) -> str | None:
    """Return the name that a model is called by."""
    return model.full_name if isinstance(model, ModelProfile) else model


def check_limits(max_tokens: int | None, reserve_tokens: int) -> None:
    """Raise ConfigError for numbers that are not whole or too small."""
    for name, value, least in (
        ("max_tokens", max_tokens, 1),
        ("reserve_tokens", reserve_tokens, 0),
    ):
        if value is not None and (not isinstance(value, int) or value < least):
            raise ConfigError(f"{name} is a whole number from {least} on; got {value!r:.80}")
