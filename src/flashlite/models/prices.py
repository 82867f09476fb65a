"""Prices of tokens, and the cost of a usage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from ..errors import ConfigError
from ..types.usage import Usage

TOO_DEAR = 0.001
"""Dollars per token that no model reaches (the maximum in 2026 is 0.0006): a wrong unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of one model in US dollars per token; `per_million` takes a price list's numbers.

    None means that the provider does not list the price: a token read from or written to the cache
    then costs the same as any input token, a reasoning token the same as any output token, and a
    batch half of what single requests cost, as it does wherever there are batches. `above` maps a
    number of input tokens to the prices of every request with more of them, for all of its tokens.
    `tiers` has the prices of service tiers ("flex", "priority"); the price of an unlisted one is
    unknown. Audio and images are priced like text.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None
    above: Mapping[int, Prices] = field(default_factory=dict, hash=False)
    batch: Prices | None = None
    tiers: Mapping[str, Prices] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in _PER_TOKEN:
            price = getattr(self, name)
            if price is not None and not 0 <= price < TOO_DEAR:
                raise ConfigError(
                    f"{name}={price!r} is no price of one token in dollars; for dollars per "
                    "million tokens write Prices.per_million(input=..., output=...)"
                )

    @classmethod
    def per_million(
        cls,
        *,
        input: float,
        output: float,
        cached_input: float | None = None,
        cache_write: float | None = None,
        cache_write_1h: float | None = None,
        reasoning: float | None = None,
        above: Mapping[int, Prices] | None = None,
        batch: Prices | None = None,
    ) -> Self:
        """Build from US dollars per million tokens, as providers publish them."""
        return cls(
            input=input / 1e6,
            output=output / 1e6,
            cached_input=_per_token(cached_input),
            cache_write=_per_token(cache_write),
            cache_write_1h=_per_token(cache_write_1h),
            reasoning=_per_token(reasoning),
            above=above or {},
            batch=batch,
        )

    @property
    def in_batch(self) -> Prices:
        """The prices in a batch."""
        return self.batch or self._halved()

    def _halved(self) -> Prices:
        told = {name: getattr(self, name) for name in _PER_TOKEN}
        halves = {name: price / 2 for name, price in told.items() if price is not None}
        above = {tokens: prices._halved() for tokens, prices in self.above.items()}
        return Prices(**halves, above=above)

    def for_request(
        self, input_tokens: int, *, batch: bool = False, tier: str | None = None
    ) -> Prices | None:
        """Return the prices that apply to one request, by batch, service tier and prompt length.

        None means a service tier whose prices are not listed.
        """
        prices = self.in_batch if batch else self
        if tier in _OTHER_TIERS and not batch:
            if tier not in self.tiers:
                return None
            prices = self.tiers[tier]
        passed = [tokens for tokens in prices.above if input_tokens > tokens]
        return prices.above[max(passed)] if passed else prices


# OpenAI's names (https://platform.openai.com/docs/guides/flex-processing); any other tier, such as
# "default" or Groq's "on_demand", is billed as usual.
_OTHER_TIERS = ("flex", "priority")
_PER_TOKEN = ("input", "output", "cached_input", "cache_write", "cache_write_1h", "reasoning")


def cost(
    usage: Usage, prices: Prices | None, *, batch: bool = False, tier: str | None = None
) -> Usage:
    """Return the usage with its costs in US dollars, or unchanged without prices.

    Tools that a provider runs itself, such as web search, are billed per call and not counted here.
    """
    prices = prices and prices.for_request(usage.input_tokens, batch=batch, tier=tier)
    if prices is None:
        return usage
    return usage.costing(_input_cost(usage, prices), _output_cost(usage, prices))


def _input_cost(usage: Usage, prices: Prices) -> float:
    read, written = usage.input_tokens_cached, usage.input_tokens_cache_write
    hour = usage.input_tokens_cache_write_1h
    read_price = _known(prices.cached_input, prices.input)
    write_price = _known(prices.cache_write, prices.input)
    hour_price = _known(prices.cache_write_1h, write_price)
    return (
        max(0, usage.input_tokens - read - written) * prices.input
        + read * read_price
        + max(0, written - hour) * write_price
        + hour * hour_price
    )


def _output_cost(usage: Usage, prices: Prices) -> float:
    thought = usage.reasoning_tokens
    said = max(0, usage.output_tokens - thought)
    return said * prices.output + thought * _known(prices.reasoning, prices.output)


def _known(price: float | None, otherwise: float) -> float:
    return otherwise if price is None else price


def _per_token(dollars_per_million: float | None) -> float | None:
    return None if dollars_per_million is None else dollars_per_million / 1e6
