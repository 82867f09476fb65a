"""`flashlite models`: what is known about a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..models import ModelProfile, Prices

_PRICES = {
    "input": "in",
    "output": "out",
    "cached_input": "cached in",
    "cache_write": "cache write",
    "cache_write_1h": "cache write for an hour",
    "reasoning": "reasoning",
}


@click.command
@click.argument("name")
@options.as_json
def models(name: str, as_json: bool) -> None:
    """Show what is known about a model: its limits, prices and abilities.

    \b
    flashlite models openai/gpt-4o
    flashlite models claude-sonnet-4-5 --json
    """
    from ..models import ModelProfile

    profile = ModelProfile.get(name)
    if as_json:
        print_json(asdict(profile) | {"full_name": profile.full_name})
        return
    for title, text in _lines(profile):
        click.echo(f"{title + ':':<11} {text}")


def _lines(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    yield "model", profile.full_name
    yield "kind", profile.category or "unknown"
    yield (
        "window",
        f"{_tokens(profile.context_window)} in, {_tokens(profile.max_output_tokens)} out",
    )
    yield "prices", _priced(profile.prices)
    if profile.prices is not None and profile.prices.batch is not None:
        yield "in batches", _priced(profile.prices.batch)
    for title, answer in (("can", True), ("cannot", False)):
        named = sorted(name for name, can in profile.abilities.items() if can is answer)
        if named:
            yield title, ", ".join(named)


def _tokens(count: int | None) -> str:
    return "an unknown number of tokens" if count is None else f"{count:,} tokens"


def _priced(prices: Prices | None) -> str:
    if prices is None:
        return "unknown"
    listed: dict[str, Any] = {
        words: getattr(prices, name)
        for name, words in _PRICES.items()
        if getattr(prices, name) is not None
    }
    said = ", ".join(f"${price * 1e6:.10g} {words}" for words, price in listed.items())
    return f"{said}, for a million tokens"
