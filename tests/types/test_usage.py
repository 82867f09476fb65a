import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.types import Usage

TOKENS = st.integers(min_value=0, max_value=10**9)
COSTS = st.none() | st.floats(min_value=0, max_value=1e6)
USAGES = st.builds(
    Usage,
    input_tokens=TOKENS,
    output_tokens=TOKENS,
    total_tokens=TOKENS,
    input_tokens_cached=TOKENS,
    input_tokens_cache_write=TOKENS,
    input_tokens_cache_write_1h=TOKENS,
    reasoning_tokens=TOKENS,
    input_cost=COSTS,
    output_cost=COSTS,
    total_cost=COSTS,
    estimated=st.booleans(),
)
ONE = Usage(
    input_tokens=10,
    output_tokens=5,
    total_tokens=16,
    input_tokens_cached=4,
    input_tokens_cache_write=3,
    input_tokens_cache_write_1h=1,
    reasoning_tokens=2,
    input_cost=0.25,
    output_cost=0.5,
    total_cost=0.75,
)


def test_the_sum_of_usages_sums_every_field() -> None:
    total = ONE + ONE
    assert total == Usage(
        input_tokens=20,
        output_tokens=10,
        total_tokens=32,
        input_tokens_cached=8,
        input_tokens_cache_write=6,
        input_tokens_cache_write_1h=2,
        reasoning_tokens=4,
        input_cost=0.5,
        output_cost=1.0,
        total_cost=1.5,
    )


@pytest.mark.parametrize("field", ["input_cost", "output_cost", "total_cost"])
def test_a_cost_that_one_summand_does_not_know_is_unknown(field: str) -> None:
    unknown = replace(ONE, **{field: None})
    assert ONE + unknown == unknown + ONE == replace(ONE + ONE, **{field: None})


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_a_sum_is_estimated_as_soon_as_one_part_is(left: bool, right: bool, both: bool) -> None:
    assert replace(ONE, estimated=left) + replace(ONE, estimated=right) == replace(
        ONE + ONE, estimated=both
    )


@pytest.mark.parametrize(("given", "total"), [(0, 15), (16, 16)])
def test_the_total_is_computed_where_the_provider_does_not_say_it(given: int, total: int) -> None:
    usage = Usage(input_tokens=10, output_tokens=5, total_tokens=given)
    assert usage.total_tokens == total


def test_usages_can_be_summed_from_nothing() -> None:
    one = Usage(input_tokens=3, total_cost=0.5)
    assert sum([one, one]) == one + one == Usage(input_tokens=6, total_cost=1.0)
    assert Usage() + one == one + Usage() == one


def test_a_free_model_costs_zero_and_that_is_not_unknown() -> None:
    assert (Usage(total_cost=0.0) + Usage(total_cost=0.0)).total_cost == 0.0
    assert Usage().total_cost is None


def test_the_names_of_openai_mean_the_same() -> None:
    assert (ONE.prompt_tokens, ONE.completion_tokens) == (10, 5)


def test_nothing_was_used_unless_somebody_says_so() -> None:
    assert Usage().to_dict() == {
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 0,
        "input_tokens_cached": 0,
        "input_tokens_cache_write": 0,
        "input_tokens_cache_write_1h": 0,
        "reasoning_tokens": 0,
        "estimated": False,
    }


def test_to_dict_leaves_out_what_is_unknown() -> None:
    assert Usage(input_tokens=10, output_tokens=5, total_cost=0.5).to_dict() == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_tokens_cached": 0,
        "input_tokens_cache_write": 0,
        "input_tokens_cache_write_1h": 0,
        "reasoning_tokens": 0,
        "total_cost": 0.5,
        "estimated": False,
    }


def test_from_dict_leaves_out_what_a_later_version_wrote() -> None:
    assert Usage.from_dict({"input_tokens": 3, "input_tokens_video": 9}) == Usage(input_tokens=3)


@given(USAGES)
def test_a_usage_comes_back_from_its_dict(usage: Usage) -> None:
    assert Usage.from_dict(usage.to_dict()) == usage


@given(USAGES, USAGES)
def test_the_order_of_summands_does_not_matter(one: Usage, other: Usage) -> None:
    assert one + other == other + one


@given(st.lists(USAGES, min_size=1))
def test_a_long_sum_knows_its_cost_exactly_when_every_part_does(usages: list[Usage]) -> None:
    total, *rest = usages
    for usage in rest:
        total += usage
    costs = [usage.total_cost for usage in usages]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        assert total.total_cost is None
    else:
        assert total.total_cost == pytest.approx(math.fsum(known))
