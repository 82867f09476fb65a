"""litellm's queries about models and costs, answered without a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import models
from ...errors import ConfigError
from ...models import ModelProfile, count_tokens
from ...types import normalize_messages


def completion_cost(completion_response: Any, model: str | None = None) -> float:
    """Return the cost of an answer in US dollars; raise ConfigError if it is unknown."""
    told = getattr(completion_response, "_hidden_params", {}).get("response_cost")
    if model is None and told is not None:
        return float(told)
    return models.completion_cost(completion_response, model=model)


def token_counter(
    model: str, text: str | None = None, messages: Iterable[Mapping[str, Any]] | None = None
) -> int:
    """Return the number of tokens in a text, or in a prompt of messages.

    Messages are counted as OpenAI does: three more for each, and three for the answer's beginning.
    Texts are exact for OpenAI's models and approximate for others. Media raise ConfigError.
    """
    if messages is None:
        return count_tokens(text or "", model=model)
    return 3 + sum(_message_tokens(message, model) for message in normalize_messages([*messages]))


def get_model_info(model: str) -> dict[str, Any]:
    """Return limits, prices per token and abilities under litellm's names; None means unknown."""
    profile = ModelProfile.get(model)
    prices = profile.prices
    return {
        "key": profile.name,
        "litellm_provider": profile.provider,
        "mode": _MODES.get(profile.category or "", profile.category),
        "max_tokens": profile.max_output_tokens,
        "max_input_tokens": profile.context_window,
        "max_output_tokens": profile.max_output_tokens,
        "input_cost_per_token": prices and prices.input,
        "output_cost_per_token": prices and prices.output,
        "cache_read_input_token_cost": prices and prices.cached_input,
        "cache_creation_input_token_cost": prices and prices.cache_write,
        **{f"supports_{ability}": can for ability, can in profile.abilities.items()},
    }


_MODES = {"completions": "chat", "embeddings": "embedding"}


def _message_tokens(message: Mapping[str, Any], model: str) -> int:
    texts = [message["role"], *_texts(message.get("content"))]
    for call in message.get("tool_calls") or ():
        texts += [call["function"]["name"], call["function"]["arguments"]]
    name = message.get("name")
    named = 1 + count_tokens(name, model=model) if name else 0
    return 3 + named + sum(count_tokens(text, model=model) for text in texts)


def _texts(content: Any) -> list[str]:
    if content is None or isinstance(content, str):
        return [content or ""]
    for part in content:
        if part.get("type") != "text":
            raise ConfigError(f"the tokens of a part {part.get('type')!r:.80} cannot be counted")
    return [part["text"] for part in content]
