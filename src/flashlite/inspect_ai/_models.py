"""What Inspect learns about a model: its name in Inspect's database, its limits, its prices."""

from __future__ import annotations

from inspect_ai.model import (
    ModelCost,
    ModelInfo,
    ModelOutput,
    ServedModelUsage,
    set_model_info,
)

from ..errors import ConfigError
from ..models import ModelProfile, Prices, lookup
from ..providers import Route

_ORGANISATIONS = {"gemini": "google", "vertex_ai": "google", "xai": "grok"}
_GATEWAYS = frozenset(
    {"openrouter", "together", "together_ai", "fireworks", "fireworks_ai", "groq"}
)


def canonical_name(model: str, route: Route | None) -> str:
    """Return the key of a model in Inspect's database: `organisation/model`, without gateways."""
    provider, slash, rest = model.partition("/")
    if not slash:
        provider, rest = (route.provider if route else ""), model
    if provider in _GATEWAYS or not provider:
        return rest
    return f"{_ORGANISATIONS.get(provider, provider)}/{rest}"


def register_model_info(model: str, route: Route | None) -> None:
    """Tell Inspect prices and limits, so that cost limits and compaction work out of the box."""
    profile = profile_of(model, route)
    if profile is not None:
        set_model_info(f"flashlite/{model}", _info(profile))


def profile_of(model: str, route: Route | None) -> ModelProfile | None:
    """Return what is known about a model."""
    host = route.host if route else None
    return lookup(f"{host.name}/{route.model}" if route and host else model)


def require_price(model: str, route: Route | None) -> None:
    """Raise ConfigError if no price is known, because a budget could not be enforced."""
    profile = profile_of(model, route)
    if profile is None or profile.prices is None:
        raise ConfigError(
            f"a budget needs the price of {model}, which is not known: tell it with "
            "flashlite.models.register_model(..., prices=...)"
        )


def served_by(
    output: ModelOutput, *, model: str, route: Route | None
) -> list[ServedModelUsage] | None:
    """Return the usage of an answer that is not priced as the requested model.

    That is an answer by a fallback model (`output.fallback`), or one that came in a batch and has
    batch prices. None for any other answer.
    """
    if output.usage is None:
        return None
    told = (output.metadata or {}).get("flashlite", {})
    if output.fallback is not None:
        name = "/".join(filter(None, [told.get("provider"), output.fallback.fallback_model]))
        profile = lookup(name)
        prices = None if profile is None else profile.prices
    elif told.get("service_tier") == "batch":
        name, profile = model, profile_of(model, route)
        usual = None if profile is None else profile.prices
        prices = None if usual is None else usual.in_batch
    else:
        return None
    return [ServedModelUsage(model=f"flashlite/{name}", usage=output.usage, cost=_cost(prices))]


def _info(profile: ModelProfile) -> ModelInfo:
    return ModelInfo(
        model=profile.name,
        organization=profile.provider,
        context_length=profile.context_window,
        output_tokens=profile.max_output_tokens,
        reasoning=profile.reasoning_model,
        cost=_cost(profile.prices),
    )


def _cost(prices: Prices | None) -> ModelCost | None:
    """Return prices per million tokens; cached tokens cost the full price if no other is known."""
    if prices is None:
        return None
    write = prices.input if prices.cache_write is None else prices.cache_write
    read = prices.input if prices.cached_input is None else prices.cached_input
    return ModelCost(
        input=prices.input * 1e6,
        output=prices.output * 1e6,
        input_cache_write=write * 1e6,
        input_cache_read=read * 1e6,
    )
