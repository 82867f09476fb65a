"""The price map inside litellm; the only module that knows its spellings.

The map's `sample_spec` entry describes its fields. Without litellm, or without the file, nothing is
known; this is logged once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from threading import Lock
from typing import Any, Literal

from .litellm_files import find_file
from .names import OTHER_SPELLINGS, provider_named, spellings
from .prices import TOO_DEAR, Prices

Entry = Mapping[str, Any]

FILE = "model_prices_and_context_window_backup.json"
SUPPORT_FILE = "provider_endpoints_support_backup.json"

log = logging.getLogger("flashlite.models")
_reading = Lock()


def find_entry(name: str) -> tuple[str, Entry] | None:
    """Return the key and the entry for a name, or None if the map has none.

    A name with a provider never gets another provider's entry.
    """
    with _reading:  # concurrent first lookups read the file once
        entries = _entries()
    for key, provider in spellings(name):
        entry = entries.get(key)
        if entry is not None and provider in (None, provider_of(entry)):
            return key, entry
    return None


@cache
def providers() -> frozenset[str]:
    """Return the providers that litellm lists, or that have other spellings."""
    with _reading:
        listed = {provider_of(entry) for entry in _entries().values()}
    return frozenset(listed.union(OTHER_SPELLINGS.values(), _supported()))


def _supported() -> Iterable[str]:
    """Return the prefixes that litellm knows, even without a model in the map."""
    path = find_file(SUPPORT_FILE)
    if path is None:
        return ()
    import orjson

    return {name.partition("/")[0] for name in orjson.loads(path.read_bytes())["providers"]}


@cache
def _entries() -> Mapping[str, Entry]:
    path = find_file(FILE)
    if path is None:
        log.warning("prices, limits and abilities of models are unknown: no litellm with %s", FILE)
        return {}
    import orjson

    entries: dict[str, Entry] = orjson.loads(path.read_bytes())
    return {
        key: entry
        for key, entry in entries.items()
        if key != "sample_spec" and "litellm_provider" in entry
    }


def provider_of(entry: Entry) -> str:
    """Return the provider of the model."""
    return provider_named(entry["litellm_provider"])


def category_of(entry: Entry) -> str | None:
    """Return the model's kind: "completions", "embeddings", or the map's own word."""
    mode = entry.get("mode")
    if mode in ("chat", "completion", "responses"):
        return "completions"
    return "embeddings" if mode == "embedding" else mode


def api_of(entry: Entry) -> Literal["responses"] | None:
    """Return "responses" if OpenAI serves the model only through that API."""
    return "responses" if entry.get("mode") == "responses" else None


def limit_of(entry: Entry, field: str) -> int | None:
    """Return a limit in tokens: `max_input_tokens` or `max_output_tokens`."""
    value = entry.get(field)
    return int(value) if isinstance(value, int | float) else None


def abilities_of(entry: Entry) -> dict[str, bool]:
    """Return the abilities that the map states, by name without `supports_`."""
    return {
        field.removeprefix("supports_"): value
        for field, value in entry.items()
        if field.startswith("supports_") and isinstance(value, bool)
    }


def prices_of(key: str, entry: Entry) -> Prices | None:
    """Return the prices of an entry, or None unless both input and output are known.

    Also None if output has several prices (audio, images), because usage does not separate them.
    """
    listed = dict(_listed(key, entry))
    if not {"input_cost_per_token", "output_cost_per_token"} <= listed.keys():
        return None
    output = listed["output_cost_per_token"]
    if any(listed.get(field, output) != output for field in _UNTOLD):
        return None
    if listed.get("output_cost_per_reasoning_token") == output:
        del listed["output_cost_per_reasoning_token"]  # it only repeats the output price
    kinds = {
        kind: _build(listed, f"_{kind}")
        for kind in ("batches", "flex", "priority")
        if f"input_cost_per_token_{kind}" in listed
    }
    return replace(_build(listed, ""), batch=kinds.pop("batches", None), tiers=kinds)


_UNTOLD = ("output_cost_per_audio_token", "output_cost_per_image_token")


def _listed(key: str, entry: Entry) -> Iterator[tuple[str, float]]:
    """Yield the entry's values in dollars per token, except those that cannot be prices.

    In the map a 0 may mean free, billed by the hour, or unknown, so it is used only for a server on
    the user's own machine. Embeddings get an output price of 0, because they have no output.
    """
    if entry.get("mode") == "embedding":
        yield "output_cost_per_token", 0.0
    free = provider_of(entry) in _OWN_MACHINE and not key.endswith("-cloud")
    for field, value in _flattened(entry):
        if isinstance(value, int | float) and (0 < value < TOO_DEAR or (free and value == 0)):
            yield field, float(value)


_OWN_MACHINE = ("lemonade", "ollama")


def _flattened(entry: Entry) -> Iterator[tuple[str, Any]]:
    """Yield all fields, with those of `tiered_pricing` under the names of other entries."""
    yield from entry.items()
    for tier in entry.get("tiered_pricing", ()):
        start = int(tier.get("range", [0])[0])
        above = f"_above_{start}_tokens" if start else ""
        yield from ((f"{field}{above}", value) for field, value in tier.items())


_SPELLED = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
}

_ABOVE = re.compile(r"input_cost_per_token(_above_(\d+)(k?)_tokens)")


def _build(listed: Mapping[str, float], kind: str) -> Prices:
    """Build the prices of one kind of request; those that are not listed cost as usual."""
    tiers = [match for field in listed if (match := _ABOVE.fullmatch(field))]
    above = {
        int(match[2]) * (1000 if match[3] else 1): Prices(
            **_pick(listed, (match[1] + kind, match[1], kind, ""))
        )
        for match in tiers
    }
    return Prices(**_pick(listed, (kind, "")), above=above)


def _pick(listed: Mapping[str, float], endings: tuple[str, ...]) -> dict[str, Any]:
    """Return each price by the first of the endings that is listed."""
    found = {
        name: next((listed[spelled + end] for end in endings if spelled + end in listed), None)
        for name, spelled in _SPELLED.items()
    }
    return {name: price for name, price in found.items() if price is not None}
