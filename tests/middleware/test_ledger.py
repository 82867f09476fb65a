"""What was paid, what the cache saved, what was spent in vain."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from flashlite import (
    APIConnectionError,
    CompletionResponse,
    Flashlite,
    InternalServerError,
    MemoryCache,
    Usage,
)
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider

ONCE = RetryConfig(max_attempts=1)


def costing(dollars: float | None, **fields: Any) -> CompletionResponse:
    usage = Usage(input_tokens=10, output_tokens=5, total_cost=dollars)
    return CompletionResponse.of("x", usage=usage, **fields)


async def test_the_report_has_the_shape_that_people_know() -> None:
    engine = Flashlite("gpt-4o", provider=ScriptedProvider([costing(0.001), costing(0.0005)]))
    await engine.complete("Hello")
    await engine.complete("World")
    account = {
        "cost_usd": pytest.approx(0.0015),
        "saved_usd": 0.0,
        "wasted_usd": 0.0,
        "requests": 2,
        "cached": 0,
        "failed": 0,
        "unknown": 0,
        "tokens": {"input": 20, "output": 10, "total": 30},
    }
    assert engine.get_cost_report() == {
        "total_cost_usd": pytest.approx(0.0015),
        "total_requests": 2,
        "total_tokens": {"input": 20, "output": 10, "total": 30},
        "saved_usd": 0.0,
        "wasted_usd": 0.0,
        "cached": 0,
        "failed": 0,
        "unknown": 0,
        "by_model": {"gpt-4o": account},
        "by_agent": {},
        "by_tag": {},
    }
    assert (engine.total_cost, engine.total_tokens) == (pytest.approx(0.0015), 30)


async def test_what_the_cache_saved_is_not_paid() -> None:
    engine = Flashlite(
        "m", provider=ScriptedProvider([costing(0.5)]), cache=MemoryCache(), temperature=0
    )
    for _ in range(3):
        await engine.complete("Hi")
    total = engine.ledger.total
    assert (total.requests, total.cached, total.paid, total.saved) == (3, 2, 0.5, 1.0)
    assert engine.total_tokens == 15


async def test_agents_and_tags_have_accounts_of_their_own() -> None:
    engine = Flashlite("m", provider=ScriptedProvider([costing(1.0), costing(2.0)]))
    await engine.complete("Hi", agent="ann", tags=["red", "blue"])
    await engine.complete("Hi", agent="bob", tags=["red"])
    ledger = engine.ledger
    assert {name: account.paid for name, account in ledger.by_agent.items()} == {
        "ann": 1.0,
        "bob": 2.0,
    }
    assert {name: account.paid for name, account in ledger.by_tag.items()} == {
        "red": 3.0,
        "blue": 1.0,
    }


async def test_what_did_not_fit_is_paid_and_wasted() -> None:
    answer = costing(0.5, wasted=Usage(input_tokens=4, output_tokens=2, total_cost=0.2))
    engine = Flashlite("m", provider=ScriptedProvider([answer]))
    await engine.complete("Hi")
    assert (engine.ledger.total.paid, engine.ledger.total.wasted) == (0.5, 0.2)


@pytest.mark.parametrize(
    ("error", "unknown"),
    [(InternalServerError("no", status_code=500), 0), (APIConnectionError("it broke"), 1)],
)
async def test_a_failure_is_counted_and_its_cost_is_unknown_where_it_may_be_billed(
    error: Exception, unknown: int
) -> None:
    engine = Flashlite("m", provider=ScriptedProvider([error]), retry=ONCE)
    with pytest.raises(type(error)):
        await engine.complete("Hi")
    total = engine.ledger.total
    assert (total.requests, total.failed, total.unknown, total.paid) == (1, 1, unknown, 0.0)


async def test_an_unknown_price_is_counted_and_in_no_sum() -> None:
    engine = Flashlite("m", provider=ScriptedProvider([costing(None)]))
    await engine.complete("Hi")
    assert (engine.ledger.total.unknown, engine.total_cost, engine.total_tokens) == (1, 0.0, 15)


STREAM = [
    {"choices": [{"delta": {"content": "Hi"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}},
]


@pytest.mark.parametrize("is_read_whole", [True, False])
async def test_a_stream_counts_when_it_is_complete(is_read_whole: bool) -> None:
    transport = ReplayTransport([Reply.stream(STREAM)])
    engine = Flashlite("openai/gpt-4o", api_key="k", transport=transport)
    async with aclosing(engine.stream("Hi")) as events:
        await anext(events)
        assert engine.ledger.total.requests == 0
        if is_read_whole:
            _ = [event async for event in events]
    total = engine.ledger.total
    assert (total.requests, total.failed, total.unknown, total.output_tokens) == (
        (1, 0, 0, 10) if is_read_whole else (1, 1, 1, 0)
    )


async def test_costs_are_not_tracked_where_nobody_wants_them() -> None:
    engine = Flashlite("m", provider=ScriptedProvider([costing(1.0)]), track_costs=False)
    await engine.complete("Hi")
    assert engine.total_cost == 0.0
