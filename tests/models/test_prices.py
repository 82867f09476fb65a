import json
import math
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.errors import ConfigError
from flashlite.models import ModelProfile, Prices, cost, lookup, priced
from flashlite.types import Usage

FILE = "litellm/model_prices_and_context_window_backup.json"
MAP: dict[str, Any] = json.loads(
    Path(str(distribution("litellm").locate_file(FILE))).read_text("utf-8")
)

DATED = [
    "gpt-3.5-turbo-0125",
    "gpt-3.5-turbo-1106",
    "gpt-4-0613",
    "gpt-4-1106-preview",
    "gpt-4-turbo-2024-04-09",
    "gpt-4o-2024-05-13",
    "gpt-4o-2024-08-06",
    "gpt-4o-2024-11-20",
    "gpt-4o-mini-2024-07-18",
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano-2025-04-14",
    "gpt-5-2025-08-07",
    "gpt-5-mini-2025-08-07",
    "gpt-5-nano-2025-08-07",
    "gpt-5-pro-2025-10-06",
    "gpt-5.1-2025-11-13",
    "gpt-5.2-2025-12-11",
    "gpt-5.4-2026-03-05",
    "gpt-5.4-mini-2026-03-17",
    "gpt-5.4-nano-2026-03-17",
    "o1-2024-12-17",
    "o1-pro-2025-03-19",
    "o3-2025-04-16",
    "o3-mini-2025-01-31",
    "o3-pro-2025-06-10",
    "o4-mini-2025-04-16",
    "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5-20250929",
    "claude-opus-4-5-20251101",
    "ft:gpt-4.1-mini-2025-04-14",
    "azure/gpt-4o-2024-08-06",
    "vertex_ai/claude-sonnet-4-5@20250929",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
]


def known(name: str) -> Prices:
    prices = ModelProfile.get(name).prices
    assert prices is not None
    return prices


@pytest.mark.parametrize("key", DATED)
def test_a_dated_name_costs_what_the_map_says_for_exactly_that_name(key: str) -> None:
    prices, entry = known(key), MAP[key]
    assert (prices.input, prices.output, prices.cached_input, prices.cache_write) == (
        entry["input_cost_per_token"],
        entry["output_cost_per_token"],
        entry.get("cache_read_input_token_cost"),
        entry.get("cache_creation_input_token_cost"),
    )


@pytest.mark.parametrize(
    ("name", "input", "output"),
    [
        ("gpt-4o-mini-2024-07-18", 0.15, 0.6),
        ("gpt-4.1", 2, 8),
        ("gpt-4.1-nano", 0.1, 0.4),
        ("gpt-5-nano", 0.05, 0.4),
        ("gemini-2.5-flash", 0.3, 2.5),
        ("o3-mini", 1.1, 4.4),
        ("claude-sonnet-4-5", 3, 15),
    ],
)
def test_a_name_that_starts_like_another_has_its_own_price(
    name: str, input: float, output: float
) -> None:
    prices, expected = known(name), Prices.per_million(input=input, output=output)
    assert (prices.input, prices.output) == pytest.approx((expected.input, expected.output))


def test_cached_written_and_reasoning_tokens_have_their_own_prices() -> None:
    prices = Prices.per_million(input=10, output=100, cached_input=1, cache_write=20, reasoning=200)
    usage = Usage(
        input_tokens=1_000,
        output_tokens=100,
        input_tokens_cached=500,
        input_tokens_cache_write=300,
        reasoning_tokens=40,
    )
    priced_usage = cost(usage, prices)
    assert priced_usage.input_cost == pytest.approx(200 * 10e-6 + 500 * 1e-6 + 300 * 20e-6)
    assert priced_usage.output_cost == pytest.approx(60 * 100e-6 + 40 * 200e-6)
    assert priced_usage.total_cost == pytest.approx(0.0085 + 0.014)


def test_cached_written_and_reasoning_tokens_without_a_price_cost_the_full_one() -> None:
    usage = Usage(
        input_tokens=1_000,
        output_tokens=100,
        input_tokens_cached=500,
        input_tokens_cache_write=300,
        reasoning_tokens=40,
    )
    plain = Usage(input_tokens=1_000, output_tokens=100)
    prices = Prices.per_million(input=10, output=100)
    assert cost(usage, prices).total_cost == pytest.approx(cost(plain, prices).total_cost)


def test_tokens_written_for_an_hour_cost_more_than_those_for_five_minutes() -> None:
    prices = known("claude-sonnet-4-5")
    usage = Usage(input_tokens=1_000, input_tokens_cache_write=1_000)
    assert cost(usage, prices).input_cost == pytest.approx(1_000 * 3.75e-6)
    hour = cost(replace(usage, input_tokens_cache_write_1h=400), prices)
    assert hour.input_cost == pytest.approx(600 * 3.75e-6 + 400 * 6e-6)


def test_a_long_prompt_costs_the_higher_price_for_all_of_its_tokens() -> None:
    prices = known("gemini/gemini-2.5-pro")
    at = cost(Usage(input_tokens=200_000, output_tokens=1_000), prices)
    past = cost(Usage(input_tokens=200_001, output_tokens=1_000), prices)
    assert (at.input_cost, at.output_cost) == pytest.approx((200_000 * 1.25e-6, 1_000 * 1e-5))
    assert (past.input_cost, past.output_cost) == pytest.approx((200_001 * 2.5e-6, 1_000 * 1.5e-5))


def test_the_highest_threshold_that_was_passed_counts() -> None:
    prices = known("dashscope/qwen3-coder-plus")
    tokens = [32_000, 32_001, 128_001, 256_001]
    assert [prices.for_request(number).input for number in tokens] == [1e-6, 1.8e-6, 3e-6, 6e-6]


def test_a_batch_has_its_own_prices() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=100, input_tokens_cached=400)
    single, batch = (cost(usage, known("gpt-5"), batch=batch) for batch in (False, True))
    assert single.total_cost == pytest.approx(600 * 1.25e-6 + 400 * 1.25e-7 + 100 * 1e-5)
    assert batch.total_cost == pytest.approx(600 * 6.25e-7 + 400 * 6.25e-8 + 100 * 5e-6)


def test_reasoning_in_a_batch_costs_what_output_in_a_batch_costs() -> None:
    usage = Usage(output_tokens=1_000, reasoning_tokens=900)
    prices = known("gemini/gemini-2.5-flash")
    assert cost(usage, prices, batch=True).output_cost == pytest.approx(1_000 * 1.25e-6)


def test_a_batch_without_prices_costs_half_of_what_single_requests_cost() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=100, input_tokens_cached=500)
    dear = Prices.per_million(input=2, output=4)
    prices = Prices.per_million(input=1, output=2, cached_input=0.1, above={10_000: dear})
    single, batch = (cost(usage, prices, batch=batch).total_cost for batch in (False, True))
    assert batch == pytest.approx((single or 0) / 2)
    assert cost(Usage(input_tokens=20_000), prices, batch=True).total_cost == pytest.approx(0.02)


def test_a_service_tier_has_its_own_prices_and_one_that_is_not_listed_an_unknown_one() -> None:
    usage = Usage(input_tokens=1000, output_tokens=100)
    costs = {
        tier: priced(usage, "openai/gpt-5", tier=tier).total_cost
        for tier in (None, "default", "flex", "priority")
    }
    assert costs == pytest.approx(
        {None: 0.00225, "default": 0.00225, "flex": 0.001125, "priority": 0.0045}
    )
    assert priced(usage, "openai/gpt-4", tier="flex") == usage


def test_without_prices_the_usage_stays_as_it_is() -> None:
    reported = Usage(input_tokens=5, total_cost=0.25)
    assert cost(reported, None) is reported
    assert priced(reported, "groq/gpt-4o") is reported


def test_the_cost_of_an_unknown_model_is_unknown_and_not_zero() -> None:
    assert priced(Usage(input_tokens=5), "openrouter/nobody/nothing").total_cost is None


def test_a_usage_is_priced_by_the_name_of_its_model() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert priced(usage, "openai/gpt-4o-mini").total_cost == pytest.approx(0.75)
    assert priced(usage, "openai/gpt-4o-mini", batch=True).total_cost == pytest.approx(0.375)
    assert priced(usage, "mock/echo").total_cost == 0


def test_embeddings_cost_their_input() -> None:
    assert priced(Usage(input_tokens=1_000_000), "text-embedding-3-small") == Usage(
        input_tokens=1_000_000, input_cost=0.02, output_cost=0, total_cost=0.02
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("command-a-plus-05-2026", "0 in the map means nobody knows"),
        ("sagemaker/meta-textgeneration-llama-2-7b", "0 in the map: billed by the hour"),
        ("azure/model-router", "0 for output: the model behind it is billed too"),
        ("perplexity/pplx-7b-online", "0 for input: billed by the request"),
        ("ollama/gpt-oss:20b-cloud", "not on the user's own machine"),
        ("us.twelvelabs.pegasus-1-5-v1:0", "input is priced by the second"),
        ("gpt-audio", "spoken output costs more than written, and usage does not say which"),
        ("azure_ai/jais-30b-chat", "dollars per thousand where the map wants them per token"),
    ],
)
def test_a_price_that_cannot_be_trusted_is_unknown(name: str, why: str) -> None:
    assert ModelProfile.get(name).prices is None, why


def test_a_model_on_the_users_own_machine_costs_nothing() -> None:
    assert known("ollama/llama2") == Prices(input=0, output=0)


def test_no_listed_model_is_free_unless_it_runs_on_the_users_own_machine() -> None:
    free = {
        profile.provider
        for key in MAP
        if (profile := lookup(key)) and profile.prices and profile.prices.input == 0
    }
    assert free == {"ollama", "lemonade"}


def test_prices_per_million_are_prices_per_token_times_a_million() -> None:
    assert Prices.per_million(input=2.5, output=10, cached_input=1.25) == Prices(
        input=2.5e-6, output=1e-5, cached_input=1.25e-6
    )


@pytest.mark.parametrize("price", [2.5, 0.02, -1e-6, math.nan, math.inf])
def test_a_price_per_million_taken_for_one_per_token_is_refused(price: float) -> None:
    with pytest.raises(ConfigError, match=r"Prices\.per_million"):
        Prices(input=price, output=1e-5)


tokens = st.integers(0, 20_000)
usages = st.builds(
    lambda plain, read, written, said, thought: Usage(
        input_tokens=plain + read + written,
        output_tokens=said + thought,
        input_tokens_cached=read,
        input_tokens_cache_write=written,
        reasoning_tokens=thought,
    ),
    tokens,
    tokens,
    tokens,
    tokens,
    tokens,
)
models = st.sampled_from(["gpt-5", "claude-sonnet-4-5", "gemini/gemini-2.5-pro", "o3-mini"])


@given(usages, usages, models)
def test_below_a_threshold_the_cost_of_two_requests_is_the_sum(
    first: Usage, second: Usage, model: str
) -> None:
    together = priced(first + second, model)
    apart = priced(first, model) + priced(second, model)
    assert together.total_cost == pytest.approx(apart.total_cost)


@given(usages, usages, models, st.booleans())
def test_more_tokens_never_cost_less(usage: Usage, more: Usage, model: str, batch: bool) -> None:
    less_cost = priced(usage, model, batch=batch).total_cost
    more_cost = priced(usage + more, model, batch=batch).total_cost
    assert less_cost is not None
    assert more_cost is not None
    assert more_cost >= less_cost - 1e-12


@given(usages, models)
def test_the_total_is_input_and_output_together(usage: Usage, model: str) -> None:
    done = priced(usage, model)
    assert done.input_cost is not None
    assert done.output_cost is not None
    assert done.total_cost == done.input_cost + done.output_cost
