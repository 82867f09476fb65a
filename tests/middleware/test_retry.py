"""Retry: N attempts are N requests, waits are what was asked, the total time is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from flashlite.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    CompletionError,
    ConfigError,
    InternalServerError,
    QuotaExceededError,
    RateLimitError,
)
from flashlite.middleware import Retry, RetryConfig
from flashlite.testing import ScriptedProvider
from flashlite.types import CompletionRequest, CompletionResponse, Message, Timeout

REQUEST = CompletionRequest(model="m", messages=(Message.user("Hi"),), timeout=Timeout(total=100.0))


class Clock:
    """Time that passes only while someone waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def _retry(clock: Clock, **config: float) -> Retry:
    settings = RetryConfig(jitter=False, **config)  # type: ignore[arg-type]
    return Retry(settings, sleep=clock.sleep, clock=clock)


async def test_an_answer_passes_through_with_one_attempt() -> None:
    provider = ScriptedProvider(["hello"])
    response = await _retry(Clock())(REQUEST, provider)
    assert (response.content, response.attempts) == ("hello", 1)


@pytest.mark.parametrize(
    "failure", [RateLimitError, InternalServerError, APIConnectionError, APITimeoutError]
)
async def test_what_may_pass_is_tried_as_often_as_configured(
    failure: type[CompletionError],
) -> None:
    clock, provider = Clock(), ScriptedProvider([failure("no")] * 9)
    with pytest.raises(failure) as caught:
        await _retry(clock, max_attempts=4)(REQUEST, provider)
    assert (len(provider.requests), caught.value.attempts) == (4, 4)
    assert clock.waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("failure", [AuthenticationError, QuotaExceededError, ConfigError])
async def test_what_will_not_pass_is_tried_once(failure: type[Exception]) -> None:
    provider = ScriptedProvider([failure("no")] * 9)
    with pytest.raises(failure):
        await _retry(Clock())(REQUEST, provider)
    assert len(provider.requests) == 1


async def test_an_error_that_is_not_ours_passes_through_at_once() -> None:
    provider = ScriptedProvider([KeyError("a bug")])
    with pytest.raises(KeyError):
        await _retry(Clock())(REQUEST, provider)
    assert len(provider.requests) == 1


async def test_the_answer_counts_the_attempts_it_took() -> None:
    provider = ScriptedProvider([InternalServerError("no"), "hello"])
    assert (await _retry(Clock())(REQUEST, provider)).attempts == 2


async def test_retry_after_is_waited_even_beyond_the_longest_delay() -> None:
    clock = Clock()
    provider = ScriptedProvider([RateLimitError("no", retry_after=77.0), "hello"])
    await _retry(clock, max_delay=2.0)(REQUEST, provider)
    assert clock.waits == [77.0]


async def test_delays_stop_growing_at_the_longest() -> None:
    clock, provider = Clock(), ScriptedProvider([InternalServerError("no")] * 5 + ["hello"])
    await _retry(clock, max_attempts=6, max_delay=5.0)(REQUEST, provider)
    assert clock.waits == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 2.0), (0.5, 3.0), (1.0, 4.0)])
def test_jitter_takes_off_up_to_half(chance: float, delay: float) -> None:
    assert RetryConfig().delay(3, chance) == delay


async def test_a_wait_that_the_total_time_does_not_allow_is_not_begun() -> None:
    clock = Clock()
    provider = ScriptedProvider([RateLimitError("no", retry_after=101.0), "hello"])
    with pytest.raises(RateLimitError):
        await _retry(clock)(REQUEST, provider)
    assert clock.waits == []


async def test_each_attempt_gets_the_time_that_is_left() -> None:
    clock = Clock()
    provider = ScriptedProvider([RateLimitError("no", retry_after=60.0), "hello"])
    await _retry(clock)(REQUEST, provider)
    assert [request.timeout.total for request in provider.requests] == [100.0, 40.0]
    assert REQUEST.timeout.total == 100.0


async def test_an_attempt_that_takes_too_long_is_our_timeout() -> None:
    async def never(request: CompletionRequest) -> CompletionResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    with pytest.raises(APITimeoutError) as caught:
        await Retry()(REQUEST.with_(timeout=Timeout(total=0.01)), never)
    assert not isinstance(caught.value, TimeoutError)


async def test_a_builtin_timeout_from_below_becomes_ours() -> None:
    provider = ScriptedProvider([TimeoutError()] * 3)
    with pytest.raises(APITimeoutError):
        await _retry(Clock())(REQUEST, provider)
    assert len(provider.requests) == 3


async def test_cancelling_ends_the_wait_between_attempts() -> None:
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    provider = ScriptedProvider([InternalServerError("no"), "hello"])
    task = asyncio.create_task(_ask(Retry(sleep=sleep), provider))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(provider.requests) == 1


async def _ask(retry: Retry, provider: ScriptedProvider) -> CompletionResponse:
    return await retry(REQUEST, provider)


async def test_a_hundred_calls_at_once_keep_their_own_count() -> None:
    async def flaky(request: CompletionRequest) -> CompletionResponse:
        number = int(request.messages[0].text)
        tries[number] += 1
        if tries[number] <= number % 3:
            raise InternalServerError("no")
        return CompletionResponse.of(str(number))

    tries = dict.fromkeys(range(100), 0)
    retry = _retry(Clock())
    requests = [REQUEST.with_(messages=(Message.user(str(n)),)) for n in tries]
    responses = await asyncio.gather(*(retry(request, flaky) for request in requests))
    assert [r.attempts for r in responses] == [1 + n % 3 for n in tries]


@pytest.mark.parametrize(
    "broken",
    [
        lambda: RetryConfig(max_attempts=0),
        lambda: RetryConfig(max_attempts="3"),  # type: ignore[arg-type]
        lambda: RetryConfig(initial_delay="1"),  # type: ignore[arg-type]
        lambda: RetryConfig(initial_delay=-1),
        lambda: RetryConfig(exponential_base=0.5),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(broken: Callable[[], RetryConfig]) -> None:
    with pytest.raises(ConfigError):
        broken()


def test_a_delay_never_grows_past_its_maximum() -> None:
    assert RetryConfig(jitter=False).delay(5000, 0) == 60.0
