"""Questions about a model by litellm's names and with its kinds of answer.

What is unknown is False where litellm promises a bool, and a ConfigError where it promises a
number: an unknown price is never 0. `lookup` tells unknown from no.
"""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from ..types.usage import Usage
from .catalog import ModelProfile, lookup, priced
from .usage import read_usage


def get_max_tokens(model: str) -> int | None:
    """Return how many tokens an answer may have; None for a model that writes none."""
    return ModelProfile.get(model).max_output_tokens


def supports_vision(model: str, custom_llm_provider: str | None = None) -> bool:
    """Whether the model is known to read images."""
    return _can("vision", model, custom_llm_provider)


def supports_pdf_input(model: str, custom_llm_provider: str | None = None) -> bool:
    """Whether the model is known to read PDF files."""
    return _can("pdf_input", model, custom_llm_provider)


def supports_function_calling(model: str, custom_llm_provider: str | None = None) -> bool:
    """Whether the model is known to call tools."""
    return _can("function_calling", model, custom_llm_provider)


def supports_response_schema(model: str, custom_llm_provider: str | None = None) -> bool:
    """Whether the model's API is known to hold answers to a JSON schema."""
    return _can("response_schema", model, custom_llm_provider)


def supports_reasoning(model: str, custom_llm_provider: str | None = None) -> bool:
    """Whether the model is known to think before it answers."""
    return _can("reasoning", model, custom_llm_provider)


supports_tools = supports_function_calling
supports_structured_output = supports_response_schema


def cost_per_token(
    model: str, prompt_tokens: int = 0, completion_tokens: int = 0
) -> tuple[float, float]:
    """Return what so many tokens cost in US dollars, those of the prompt and those of the answer.

    In spite of the name it is not the price of one token. Raises ConfigError where it is unknown.
    """
    usage = _priced(Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens), model)
    assert usage.input_cost is not None
    assert usage.output_cost is not None
    return usage.input_cost, usage.output_cost


def completion_cost(completion_response: Any, model: str | None = None) -> float:
    """Return what an answer cost in US dollars: what it says, or else its tokens at list price.

    Takes an answer of ours or any object with `usage` and `model`. `model` is the one to go by
    instead of the answer's own. Raises ConfigError where the usage or the price is unknown.
    """
    usage = read_usage(getattr(completion_response, "usage", None))
    if model is None and usage.total_cost is not None:
        return usage.total_cost
    cost = _priced(usage, model or _served(completion_response)).total_cost
    assert cost is not None
    return cost


def _can(ability: str, model: str, provider: str | None) -> bool:
    profile = lookup(f"{provider}/{model}" if provider else model)
    return profile is not None and profile.supports(ability) is True


def _priced(usage: Usage, model: str) -> Usage:
    usage = priced(usage, ModelProfile.get(model).full_name)
    if usage.total_cost is None:
        raise ConfigError(
            f"the price of {model} is not known; say it with register_model({model!r}, "
            "prices=Prices.per_million(input=..., output=...))"
        )
    return usage


def _served(response: Any) -> str:
    """Name the model that answered, with its provider where the answer says that."""
    provider, model = getattr(response, "provider", None), getattr(response, "model", None) or ""
    full_name = f"{provider}/{model}"
    return full_name if provider and lookup(full_name) else model
