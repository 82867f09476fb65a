"""Queries about models under litellm's names, with its types of answer.

An unknown fact is False where litellm returns a bool, and a ConfigError where it returns a number:
an unknown price is never 0. `lookup` distinguishes unknown from no.
"""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from ..types.usage import Usage
from .catalog import ModelProfile, lookup, priced
from .usage import read_usage


def get_max_tokens(model: str) -> int | None:
    """Return the most tokens of an answer; None if unknown or if the model writes none."""
    return ModelProfile.get(model).max_output_tokens


def supports_vision(model: str, custom_llm_provider: str | None = None) -> bool:
    """Return whether the model is known to read images."""
    return _can("vision", model, custom_llm_provider)


def supports_pdf_input(model: str, custom_llm_provider: str | None = None) -> bool:
    """Return whether the model is known to read PDF files."""
    return _can("pdf_input", model, custom_llm_provider)


def supports_function_calling(model: str, custom_llm_provider: str | None = None) -> bool:
    """Return whether the model is known to call tools."""
    return _can("function_calling", model, custom_llm_provider)


def supports_response_schema(model: str, custom_llm_provider: str | None = None) -> bool:
    """Return whether the model's API is known to enforce a JSON schema on answers."""
    return _can("response_schema", model, custom_llm_provider)


def supports_reasoning(model: str, custom_llm_provider: str | None = None) -> bool:
    """Return whether the model is known to reason before it answers."""
    return _can("reasoning", model, custom_llm_provider)


supports_tools = supports_function_calling
supports_structured_output = supports_response_schema


def cost_per_token(
    model: str, prompt_tokens: int = 0, completion_tokens: int = 0
) -> tuple[float, float]:
    """Return the cost in US dollars of the prompt tokens and of the completion tokens.

    Despite the name it is not the price of one token. Raises ConfigError if it is unknown.
    """
    usage = _priced(Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens), model)
    assert usage.input_cost is not None
    assert usage.output_cost is not None
    return usage.input_cost, usage.output_cost


def completion_cost(completion_response: Any, model: str | None = None) -> float:
    """Return the cost of an answer in US dollars: as it reports, else from the list prices.

    Takes a CompletionResponse or any object with `usage` and `model`. `model` replaces the answer's
    own. Raises ConfigError if the usage or the price is unknown.
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
    """Return the name of the model that answered, with its provider if that is a known name."""
    provider, model = getattr(response, "provider", None), getattr(response, "model", None) or ""
    full_name = f"{provider}/{model}"
    return full_name if provider and lookup(full_name) else model
