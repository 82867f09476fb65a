"""Limits around calls of one's own, in virtual time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from flashlite import GPT5, ConfigError, Limiter, TokenBucket

from .virtual_time import now, virtual_time


@virtual_time
async def test_the_minute_holds_requests_back() -> None:
    limiter = Limiter(requests_per_minute=2, clock=now)
    times: list[float] = []
    for _ in range(3):
        async with limiter.limit():
            times.append(now())
    assert times == [0.0, 0.0, pytest.approx(60.1)]


@virtual_time
async def test_output_counts_when_it_is_known() -> None:
    limiter = Limiter(GPT5, tokens_per_minute=1000, clock=now)
    async with limiter.limit(tokens=400) as taken:
        taken.output_tokens = 500
    async with limiter.limit(tokens=100):
        assert now() == 0.0
    async with limiter.limit(tokens=1):
        assert now() == pytest.approx(60.1)


def test_a_limiter_without_limits_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="flashlite.rate_limit"):
        Limiter(model_profile=GPT5)
    (said,) = caplog.messages
    assert said == "no limits are known for gpt-5: pass requests_per_minute=..."


@virtual_time
async def test_a_bucket_refills_by_the_second() -> None:
    bucket = TokenBucket(capacity=100, refill_rate=10, clock=now)
    await bucket.acquire(100)
    await bucket.acquire(30)
    assert now() == pytest.approx(3.0)


@virtual_time
async def test_nobody_overtakes_the_head_of_the_line() -> None:
    bucket, order = TokenBucket(capacity=100, refill_rate=10, clock=now), list[int]()
    await bucket.acquire(100)

    async def take(tokens: int) -> None:
        await bucket.acquire(tokens)
        order.append(tokens)

    await asyncio.gather(take(90), take(1), take(2))
    assert order == [90, 1, 2]


@virtual_time
async def test_more_than_a_bucket_holds_is_a_debt_for_those_behind() -> None:
    bucket = TokenBucket(capacity=100, refill_rate=10, clock=now)
    await bucket.acquire(150)
    assert now() == 0.0
    await bucket.acquire(10)
    assert now() == pytest.approx(6.0)


@virtual_time
async def test_who_is_cancelled_takes_nothing() -> None:
    bucket = TokenBucket(capacity=100, refill_rate=10, clock=now)
    await bucket.acquire(100)
    waiting = asyncio.create_task(bucket.acquire(100))
    await asyncio.sleep(1)
    waiting.cancel()
    await bucket.acquire(20)
    assert now() == pytest.approx(2.0)


@pytest.mark.parametrize(("capacity", "rate"), [(0, 1), (1, 0), (float("nan"), 1)])
def test_a_bucket_that_never_fills_is_refused(capacity: float, rate: float) -> None:
    with pytest.raises(ConfigError, match="positive"):
        TokenBucket(capacity, rate)
