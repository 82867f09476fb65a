"""Questions about models by litellm's names, and models that have a name in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import flashlite
from flashlite import models
from flashlite.errors import ConfigError
from flashlite.models import (
    GPT5,
    ModelProfile,
    Prices,
    TextEmbedding3Small,
    completion_cost,
    cost_per_token,
    get_max_tokens,
    read_usage,
    register_model,
    supports_function_calling,
    supports_pdf_input,
    supports_reasoning,
    supports_response_schema,
    supports_structured_output,
    supports_tools,
    supports_vision,
    unregister_model,
)
from flashlite.types import CompletionResponse, Usage


@pytest.fixture
def unpriced() -> Iterator[str]:
    register_model("my-model", context_window=1000)
    yield "my-model"
    unregister_model("my-model")


@pytest.mark.parametrize(
    ("supports", "capable", "not_said"),
    [
        (supports_vision, "gpt-4o", "text-embedding-3-small"),
        (supports_pdf_input, "gpt-5", "gpt-3.5-turbo"),
        (supports_function_calling, "gpt-4o", "text-embedding-3-small"),
        (supports_response_schema, "gpt-4o", "gpt-3.5-turbo"),
        (supports_reasoning, "gpt-5", "gpt-4o"),
    ],
)
def test_an_ability_is_true_only_where_it_is_known(
    supports: Callable[..., bool], capable: str, not_said: str
) -> None:
    assert [supports(name) for name in (capable, not_said, "nobody-knows")] == [True, False, False]


def test_the_provider_may_be_said_apart() -> None:
    assert supports_vision("gpt-4o", custom_llm_provider="azure") is True
    assert supports_vision("gpt-4o", custom_llm_provider="groq") is False


def test_an_ability_has_two_names() -> None:
    assert supports_tools is supports_function_calling
    assert supports_structured_output is supports_response_schema


def test_the_longest_answer_is_a_number_or_none_for_a_model_that_writes_none() -> None:
    assert [get_max_tokens(name) for name in ("gpt-4o", "text-embedding-3-small")] == [16384, None]


def test_tokens_cost_their_list_price_on_each_side() -> None:
    assert cost_per_token("gpt-4o", 1000, 500) == (0.0025, 0.005)
    assert cost_per_token("openai/gpt-4o", prompt_tokens=1000) == (0.0025, 0.0)


@pytest.mark.parametrize(
    "question", [get_max_tokens, cost_per_token, lambda name: completion_cost(ANSWER, model=name)]
)
def test_a_number_that_is_not_known_is_never_0(question: Callable[[str], Any]) -> None:
    with pytest.raises(ConfigError, match="nothing is known about the model 'nobody-knows'"):
        question("nobody-knows")


ANSWER = SimpleNamespace(
    model="gpt-4o", usage={"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
)


def test_a_known_model_may_have_an_unknown_price(unpriced: str) -> None:
    with pytest.raises(ConfigError, match="the price of my-model is not known"):
        cost_per_token(unpriced, 1, 1)


def test_an_answer_costs_what_it_says_or_its_tokens() -> None:
    used = Usage(input_tokens=1000, output_tokens=500)
    answer = CompletionResponse.of("x", model="gpt-4o", provider="azure", usage=used)
    billed = CompletionResponse.of("x", model="m", usage=Usage(input_tokens=1, total_cost=0.25))
    assert [completion_cost(each) for each in (ANSWER, answer, billed)] == [0.0075, 0.0075, 0.25]
    assert completion_cost(billed, model="gpt-4o") == 2.5e-06


def test_an_answer_without_usage_has_no_cost_to_tell() -> None:
    with pytest.raises(ConfigError, match="a usage has prompt_tokens or input_tokens; got None"):
        completion_cost(CompletionResponse.of("x", model="gpt-4o"))


CHAT: dict[str, Any] = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
RESPONSES: dict[str, Any] = {
    "input_tokens": 100,
    "output_tokens": 50,
    "total_tokens": 150,
    "input_tokens_details": SimpleNamespace(cached_tokens=64),
    "output_tokens_details": SimpleNamespace(reasoning_tokens=30),
}


@pytest.mark.parametrize("told", [CHAT, RESPONSES, SimpleNamespace(**RESPONSES)])
def test_usage_is_read_in_either_spelling(told: Any) -> None:
    expected = Usage(
        input_tokens=100, output_tokens=50, input_tokens_cached=64, reasoning_tokens=30
    )
    assert read_usage(told) == read_usage(expected) == expected


def test_a_profile_prices_what_it_reads() -> None:
    profile = ModelProfile.get("gpt-4o")
    assert profile.parse_usage({"prompt_tokens": 1000, "completion_tokens": 500}) == Usage(
        input_tokens=1000,
        output_tokens=500,
        input_cost=0.0025,
        output_cost=0.005,
        total_cost=0.0075,
    )


def test_a_profile_counts_tokens_with_its_own_vocabulary() -> None:
    assert [GPT5.count_tokens("Hello, world!"), GPT5.count_tokens("")] == [4, 0]


@pytest.mark.parametrize(
    ("name", "efforts"),
    [
        ("gpt-5", ["minimal", "low", "medium", "high"]),
        ("gpt-5.1", ["none", "low", "medium", "high"]),
        ("gpt-5.2", ["none", "low", "medium", "high", "xhigh"]),
        ("gpt-4o", []),
        ("text-embedding-3-small", []),
    ],
)
def test_efforts_are_those_that_the_map_tells(name: str, efforts: list[str]) -> None:
    assert ModelProfile.get(name).reasoning_efforts == efforts


def test_the_full_name_says_whose_model_it_is() -> None:
    names = ["gpt-4o", "gemini-2.5-pro", "azure/gpt-4o"]
    assert [ModelProfile.get(name).full_name for name in names] == [
        "openai/gpt-4o",
        "gemini/gemini-2.5-pro",
        "azure/gpt-4o",
    ]


def test_a_model_with_a_name_in_python_is_what_the_map_knows() -> None:
    assert flashlite.GPT5 == models.GPT5 == ModelProfile.get("gpt-5")
    assert TextEmbedding3Small.category == "embeddings"
    names = [name for name in models.__all__ if isinstance(getattr(models, name), ModelProfile)]
    assert [getattr(models, name).model_name for name in names] == [
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-nano",
        "gpt-5.1",
        "gpt-5.2",
        "text-embedding-3-large",
        "text-embedding-3-small",
    ]


def test_a_named_model_knows_what_was_registered() -> None:
    register_model("gpt-5", prices=Prices.per_million(input=1, output=1))
    try:
        assert models.GPT5.prices == Prices.per_million(input=1, output=1)
    finally:
        unregister_model("gpt-5")
    assert models.GPT5 == GPT5


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'flashlite\\.models' has no attribute"):
        getattr(models, "GPT" + "6")
