"""Facts about models: read them with `lookup`, add your own with `register_model`.

    lookup("openai/gpt-4o").context_window       # 128000
    lookup("claude-sonnet-4-5").supports("vision")

Facts come from the price map inside litellm; what is registered here overrides it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Literal

from ..errors import ConfigError
from ..types.usage import Usage
from . import price_map, tokens
from .names import canonical, maker, split_fine_tune
from .prices import Prices, cost
from .usage import read_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """The known facts about one model; None means unknown.

    `name` is its key in the price map. `category` is "completions", "embeddings" or the map's word
    for another kind; `api` is "responses" if OpenAI serves the model only through that API.
    `context_window` counts input tokens and `max_output_tokens` output tokens. `abilities` maps the
    map's names without `supports_`: "vision", "function_calling", "reasoning".
    """

    name: str
    provider: str | None = None
    category: str | None = None
    api: Literal["responses"] | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    prices: Prices | None = None
    abilities: Mapping[str, bool] = field(default_factory=dict, hash=False)

    @classmethod
    def get(cls, name: str) -> ModelProfile:
        """Return the result of `lookup`; raise `ConfigError` if the model is unknown."""
        profile = lookup(name)
        if profile is None:
            raise ConfigError(
                f"nothing is known about the model {name!r}; say what you know with "
                f"register_model({name!r}, context_window=..., "
                "prices=Prices.per_million(input=..., output=...))"
            )
        return profile

    @property
    def model_name(self) -> str:
        """The name that is sent to the provider, without the provider's prefix."""
        prefix, slash, rest = canonical(self.name).partition("/")
        return rest if slash and prefix == self.provider else self.name

    @property
    def full_name(self) -> str:
        """The name with its provider: `gpt-4o` and `openai/gpt-4o` are both `openai/gpt-4o`."""
        return f"{self.provider}/{self.model_name}" if self.provider else self.name

    @property
    def reasoning_model(self) -> bool | None:
        """Whether the model reasons before it answers; None if unknown."""
        return self.supports("reasoning")

    @property
    def reasoning_efforts(self) -> list[str]:
        """The values of `reasoning_effort`, lowest first; empty if it is not known to reason.

        The map mentions low, medium and high only if a reasoning model does not take them.
        """
        if not self.reasoning_model:
            return []
        told = ((effort, self.supports(f"{effort}_reasoning_effort")) for effort in _EFFORTS)
        return [effort for effort, can in told if can or (can is None and effort in _USUAL_EFFORTS)]

    def supports(self, ability: str) -> bool | None:
        """Return whether the model has an ability; None if unknown."""
        return self.abilities.get(ability)

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text for this model, exact or approximate."""
        return tokens.count_tokens(text, model=self.name)

    def parse_usage(self, usage: Any) -> Usage:
        """Read an API's own usage (see `read_usage`) and add its cost if known."""
        return cost(read_usage(usage), self.prices)


_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_USUAL_EFFORTS = ("low", "medium", "high")


def lookup(name: str) -> ModelProfile | None:
    """Return the profile of exactly this model, or None.

    A dated name that is not listed is unknown even if the undated one is listed, because its price
    may differ. `mock/…` models cost nothing, because no provider is called.
    """
    edition = _edition
    try:
        return edition.answers[name]
    except KeyError:
        answer = _find(name, edition.registered)
        if len(edition.answers) < _MOST_ANSWERS:
            edition.answers[name] = answer
        return answer


_MOST_ANSWERS = 10_000  # a mock's options are part of its name, so there is no end of names


def family(name: str) -> str | None:
    """Return the provider that serves a model by default: "openai" for `gpt-4o`."""
    profile = lookup(name)
    provider = None if profile is None else profile.provider
    return provider or maker(name)


def is_provider(name: str) -> bool:
    """Return whether litellm's lists have a provider of this name."""
    return name in price_map.providers()


def priced(usage: Usage, name: str, *, batch: bool = False, tier: str | None = None) -> Usage:
    """Return the usage with its cost at this model's prices, or unchanged if unknown.

    `tier` is the service tier that served the request, as reported by the provider.
    """
    profile = lookup(name)
    return usage if profile is None else cost(usage, profile.prices, batch=batch, tier=tier)


def register_model(
    name: str,
    *,
    prices: Prices | None = None,
    context_window: int | None = None,
    max_output_tokens: int | None = None,
    provider: str | None = None,
    abilities: Mapping[str, bool] | None = None,
) -> None:
    """Register facts about a model, for the whole process.

    The given values override known ones; others stay. Register a model under the name you call it
    by; a bare name without a provider applies to every provider.
    """
    if not isinstance(prices, Prices | None):
        raise ConfigError(f"prices is Prices.per_million(input=..., output=...); got {prices!r}")
    with _registering:
        known = lookup(name) or ModelProfile(name=canonical(name), provider=_provider_in(name))
        profile = replace(
            known,
            prices=prices or known.prices,
            context_window=context_window or known.context_window,
            max_output_tokens=max_output_tokens or known.max_output_tokens,
            provider=provider or known.provider,
            abilities={**known.abilities, **(abilities or {})},
        )
        _publish(_others(known) | {canonical(name): profile, profile.full_name: profile})


def unregister_model(name: str) -> None:
    """Remove what was registered about a model; do nothing for other names."""
    with _registering:
        _publish(_others(lookup(name)))


@dataclass(frozen=True, slots=True)
class _Edition:
    """The registered profiles and cached answers, replaced together, so readers need no lock."""

    registered: dict[str, ModelProfile] = field(default_factory=dict)
    answers: dict[str, ModelProfile | None] = field(default_factory=dict)


_edition = _Edition()
_registering = Lock()


def _others(than: ModelProfile | None) -> dict[str, ModelProfile]:
    return {key: profile for key, profile in _edition.registered.items() if profile is not than}


def _publish(registered: dict[str, ModelProfile]) -> None:
    global _edition
    _edition = _Edition(registered)


def _find(name: str, registered: Mapping[str, ModelProfile]) -> ModelProfile | None:
    if mine := registered.get(canonical(name)):
        return mine
    if name.startswith("mock/"):
        return _mock(name)
    base, tail = split_fine_tune(name)
    if tail:
        profile = _find(base, registered)
        return profile and replace(profile, name=profile.name + tail)
    if profile := _read(name):
        return registered.get(profile.full_name, profile)
    return _registered_bare(name, registered)


def _mock(name: str) -> ModelProfile:
    free = Prices(input=0, output=0)
    return ModelProfile(name=name, provider="mock", category="completions", prices=free)


def _read(name: str) -> ModelProfile | None:
    found = price_map.find_entry(name)
    if found is None:
        return None
    key, entry = found
    return ModelProfile(
        name=key,
        provider=price_map.provider_of(entry),
        category=price_map.category_of(entry),
        api=price_map.api_of(entry),
        context_window=price_map.limit_of(entry, "max_input_tokens"),
        max_output_tokens=price_map.limit_of(entry, "max_output_tokens"),
        prices=price_map.prices_of(key, entry),
        abilities=price_map.abilities_of(entry),
    )


def _registered_bare(name: str, registered: Mapping[str, ModelProfile]) -> ModelProfile | None:
    profile = registered.get(name.partition("/")[2])
    return profile if profile and profile.provider is None else None


def _provider_in(name: str) -> str | None:
    prefix = canonical(name).partition("/")[0]
    return prefix if prefix != name and prefix in price_map.providers() else None
