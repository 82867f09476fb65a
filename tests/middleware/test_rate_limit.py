"""Rate limit: the minute is full and never over, answers settle it, a 429 stops everybody."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from flashlite.errors import (
    CompletionError,
    ConfigError,
    InternalServerError,
    QuotaExceededError,
    RateLimitError,
)
from flashlite.middleware.rate_limit import RateLimit, RateLimitConfig
from flashlite.middleware.windows import SPAN
from flashlite.testing import ScriptedProvider
from flashlite.types import (
    CompletionRequest,
    CompletionResponse,
    Handler,
    Message,
    StreamEvent,
    StreamEventType,
    Target,
    Usage,
)

from ..virtual_time import now, run, virtual_time

REQUEST = CompletionRequest(model="m", messages=(Message.user("Hi"),), params={"max_tokens": 90})
TARGET = Target(provider="p", dialect="openai", model="m")


def _target(request: CompletionRequest) -> Target:
    return Target(provider="p", dialect="openai", model=request.model)


def _limit(**config: Any) -> RateLimit:
    return RateLimit(RateLimitConfig(**config), target=_target, clock=now)


@dataclass
class Provider:
    """Takes `latency` seconds, answers with a usage and headers, and notes who came when."""

    latency: float = 0.0
    usage: Usage | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    failure: BaseException | None = None
    calls: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.calls.append((now(), request.messages[0].text))
        await asyncio.sleep(self.latency)
        if self.failure is not None:
            raise self.failure
        fields: dict[str, Any] = {"usage": self.usage, "headers": self.headers}
        if request.stream:
            return await CompletionResponse.open(self._events, headers=self.headers)
        return CompletionResponse.of("ok", **fields)

    async def _events(self, response: CompletionResponse) -> AsyncGenerator[StreamEvent]:
        yield StreamEvent(StreamEventType.TOKEN, "o")
        await asyncio.sleep(5)
        yield StreamEvent(StreamEventType.TOKEN, "k")
        response.usage = self.usage
        yield StreamEvent(StreamEventType.DONE, response)

    @property
    def times(self) -> list[float]:
        return [moment for moment, _ in self.calls]


def _ask(text: str, **changes: Any) -> CompletionRequest:
    return REQUEST.with_(messages=(Message.user(text),), **changes)


def _used(tokens: int) -> Usage:
    return Usage(input_tokens=10, output_tokens=tokens - 10)


# What every layer does.


@virtual_time
async def test_an_answer_passes_through_as_it_is() -> None:
    answer = CompletionResponse.of("hello")
    assert await _limit(requests_per_minute=1)(REQUEST, ScriptedProvider([answer])) is answer


@virtual_time
async def test_without_limits_nobody_waits() -> None:
    layer, provider = _limit(), Provider()
    await asyncio.gather(*(layer(REQUEST, provider) for _ in range(1000)))
    assert provider.times == [0.0] * 1000


@virtual_time
async def test_errors_pass_through() -> None:
    layer, error = _limit(requests_per_minute=10), InternalServerError("no")
    with pytest.raises(InternalServerError) as caught:
        await layer(REQUEST, ScriptedProvider([error]))
    assert caught.value is error
    with pytest.raises(KeyError):
        await layer(REQUEST, ScriptedProvider([KeyError("a bug")]))


@virtual_time
async def test_the_request_is_left_unchanged() -> None:
    provider = ScriptedProvider(["ok"])
    await _limit(requests_per_minute=1, tokens_per_minute=1000)(REQUEST, provider)
    assert provider.requests[0] is REQUEST


@virtual_time
async def test_nothing_that_is_answered_above_counts() -> None:
    layer, provider = _limit(requests_per_minute=1), Provider()

    async def cached(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return CompletionResponse.of("known")

    for _ in range(10):
        await cached(REQUEST, lambda request: layer(request, provider))
    await layer(REQUEST, provider)
    assert provider.times == [0.0]


@virtual_time
async def test_a_hundred_tasks_at_once_wait_for_their_minutes() -> None:
    layer, provider = _limit(requests_per_minute=25), Provider(latency=3.0)
    await asyncio.gather(*(layer(_ask(str(n)), provider) for n in range(100)))
    assert [text for _, text in provider.calls] == [str(n) for n in range(100)]
    assert provider.times == [minute * SPAN for minute in range(4) for _ in range(25)]


@virtual_time
async def test_priority_decides_who_is_next() -> None:
    layer, provider = _limit(requests_per_minute=1), Provider()
    requests = [_ask("0"), _ask("2", priority=1), _ask("1", priority=-1)]
    await asyncio.gather(*(layer(request, provider) for request in requests))
    assert [text for _, text in provider.calls] == ["0", "1", "2"]


@virtual_time
async def test_pools_are_apart_per_model_endpoint_and_key() -> None:
    def target(request: CompletionRequest) -> Target:
        address, account, model = request.model.split()
        return Target(provider="p", dialect="d", model=model, address=address, account=account)

    layer = RateLimit(RateLimitConfig(requests_per_minute=1), target=target, clock=now)
    provider = Provider()
    models = ["a key m", "b key m", "a other m", "a key n", "a key m"]
    await asyncio.gather(*(layer(_ask(m, model=m), provider) for m in models))
    assert provider.times == [0.0, 0.0, 0.0, 0.0, SPAN]


# Tokens: reserve before, settle after.


@virtual_time
async def test_tokens_are_reserved_before_a_call() -> None:
    layer, provider = _limit(tokens_per_minute=300), Provider(latency=1.0)
    await asyncio.gather(*(layer(REQUEST, provider) for _ in range(4)))
    assert provider.times == [0.0, 0.0, 0.0, SPAN]  # 90 and a few each


@virtual_time
async def test_unused_tokens_wake_the_head_at_once() -> None:
    layer, provider = _limit(tokens_per_minute=300), Provider(latency=1.0, usage=_used(20))
    await asyncio.gather(*(layer(REQUEST, provider) for _ in range(6)))
    assert provider.times == [0.0, 0.0, 0.0, 1.0, 1.0, 2.0]


@virtual_time
async def test_an_overdraft_delays_the_next() -> None:
    layer, provider = _limit(tokens_per_minute=300), Provider(latency=1.0, usage=_used(400))
    await layer(REQUEST, provider)
    await layer(REQUEST, provider)
    assert provider.times == [0.0, SPAN]


@virtual_time
async def test_an_answer_is_not_held_back_by_its_settlement() -> None:
    layer, provider = _limit(tokens_per_minute=300), Provider(latency=1.0, usage=_used(4000))
    await layer(REQUEST, provider)
    assert now() == 1.0


@virtual_time
async def test_a_failed_attempt_gives_its_tokens_back_but_counts_as_a_request() -> None:
    layer = _limit(tokens_per_minute=300, requests_per_minute=4)
    provider = Provider(failure=InternalServerError("no"))
    for _ in range(5):
        with pytest.raises(InternalServerError):
            await layer(REQUEST, provider)
    assert provider.times == [0.0, 0.0, 0.0, 0.0, SPAN]


@virtual_time
async def test_what_was_never_sent_does_not_count() -> None:
    layer, provider = _limit(requests_per_minute=1), Provider(failure=ConfigError("no key"))
    for _ in range(5):
        with pytest.raises(ConfigError):
            await layer(REQUEST, provider)
    assert provider.times == [0.0] * 5


@virtual_time
async def test_an_answer_without_usage_keeps_what_was_reserved() -> None:
    layer, provider = _limit(tokens_per_minute=100), Provider()
    await layer(REQUEST, provider)
    await layer(REQUEST, provider)
    assert provider.times == [0.0, SPAN]


@virtual_time
async def test_more_than_the_limit_goes_alone_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    layer, provider = _limit(tokens_per_minute=300), Provider(latency=1.0)
    large = REQUEST.with_(params={"max_tokens": 5000})
    await asyncio.gather(*(layer(r, provider) for r in (REQUEST, large, REQUEST, large)))
    assert provider.times == [0.0, SPAN, 2 * SPAN, 3 * SPAN]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "p/m: a request of about 5005 tokens is larger than the limit of 300 a minute: "
            "it goes alone (said once)",
        )
    ]


@virtual_time
async def test_answers_teach_how_long_answers_are() -> None:
    layer = _limit(tokens_per_minute=10_000)
    provider = Provider(usage=Usage(input_tokens=10, output_tokens=20))
    unbounded = REQUEST.with_(params={})
    await layer(unbounded, provider)
    provider.latency = 1.0
    await asyncio.gather(*(layer(unbounded, provider) for _ in range(300)))
    assert 200 < provider.times.count(0.0) < 300


# Streams.


async def _read(response: CompletionResponse, events: int) -> None:
    async with aclosing(response.events()) as stream:
        for _ in range(events):
            await anext(stream)


@virtual_time
async def test_a_stream_settles_when_its_last_event_is_out() -> None:
    layer, provider = _limit(tokens_per_minute=120), Provider(usage=_used(20))

    async def call() -> None:
        await _read(await layer(REQUEST.with_(stream=True), provider), 3)

    await asyncio.gather(call(), call(), call())
    assert provider.times == [0.0, 5.0, SPAN]


@virtual_time
async def test_a_reader_who_stops_early_keeps_the_reservation_for_a_minute() -> None:
    layer, provider = _limit(tokens_per_minute=100), Provider(usage=_used(20))
    for _ in range(2):
        await _read(await layer(REQUEST.with_(stream=True), provider), 1)
    assert provider.times == [0.0, SPAN]


@virtual_time
async def test_a_stream_that_is_dropped_unread_is_no_leak() -> None:
    layer, provider = _limit(requests_per_minute=1, auto_detect=True), Provider()
    await layer(REQUEST.with_(stream=True), provider)
    gc.collect()
    await layer(REQUEST, provider)
    assert provider.times == [0.0, SPAN]


# Cancellation.


@virtual_time
async def test_who_is_cancelled_while_waiting_has_not_been() -> None:
    layer, provider = _limit(requests_per_minute=1), Provider()
    await layer(REQUEST, provider)
    quitter = asyncio.create_task(_call(layer, provider))
    patient = asyncio.create_task(_call(layer, provider))
    await asyncio.sleep(1)
    quitter.cancel()
    quitter.cancel()
    await asyncio.gather(quitter, patient, return_exceptions=True)
    assert (quitter.cancelled(), provider.times) == (True, [0.0, SPAN])


@virtual_time
async def test_who_is_cancelled_on_the_wire_gives_tokens_back_and_counts_as_sent() -> None:
    layer = _limit(requests_per_minute=2, tokens_per_minute=100)
    provider = Provider(latency=10.0)
    for wait in (0.5, 0.5, SPAN):
        task = asyncio.create_task(_call(layer, provider))
        await asyncio.sleep(wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert provider.times == [0.0, 0.5, SPAN]


async def _call(layer: RateLimit, provider: Handler) -> CompletionResponse:
    return await layer(REQUEST, provider)


# What servers say.


@virtual_time
async def test_a_429_pauses_the_whole_pool() -> None:
    layer, provider = _limit(requests_per_minute=1000), Provider(latency=1.0)
    provider.failure = RateLimitError("slow", retry_after=20.0)
    with pytest.raises(RateLimitError):
        await layer(REQUEST, provider)
    provider.failure = None
    await asyncio.gather(*(layer(REQUEST, provider) for _ in range(3)))
    assert provider.times == [0.0, 21.0, 21.0, 21.0]


@virtual_time
async def test_a_429_stops_those_who_wait_already() -> None:
    layer, provider = _limit(requests_per_minute=1), Provider(latency=59.0)
    provider.failure = RateLimitError("slow", retry_after=30.0)
    await asyncio.gather(*(layer(REQUEST, provider) for _ in range(2)), return_exceptions=True)
    assert provider.times == [0.0, 89.0]


@pytest.mark.parametrize(
    "failure",
    [
        RateLimitError("tomorrow", retry_after=3600.0),
        RateLimitError("slow"),
        QuotaExceededError("no money", retry_after=30.0),
        InternalServerError("busy", retry_after=30.0),
    ],
)
def test_what_waiting_does_not_cure_pauses_nobody_else(failure: CompletionError) -> None:
    async def main() -> list[float]:
        layer, provider = _limit(), Provider(failure=failure)
        for _ in range(2):
            with pytest.raises(type(failure)):
                await layer(REQUEST, provider)
        return provider.times

    assert run(main()) == [0.0, 0.0]


HEADERS = {
    "x-ratelimit-limit-requests": "3",
    "x-ratelimit-remaining-requests": "2",
    "x-ratelimit-reset-requests": "20s",
}


@virtual_time
async def test_limits_are_learned_from_headers() -> None:
    layer, provider = _limit(auto_detect=True), Provider(headers=HEADERS)
    await layer(REQUEST, provider)
    await asyncio.gather(*(layer(REQUEST, provider) for _ in range(3)))
    assert provider.times == [0.0, 0.0, 0.0, SPAN]


@virtual_time
async def test_limits_are_learned_from_refusals_and_streams_too() -> None:
    provider = Provider(headers=HEADERS)
    refused, streamed = _limit(auto_detect=True), _limit(auto_detect=True)
    provider.failure = RateLimitError("slow", headers=HEADERS)
    with pytest.raises(RateLimitError):
        await refused(REQUEST, provider)
    provider.failure = None
    await _read(await streamed(REQUEST.with_(stream=True), provider), 3)
    provider.calls.clear()
    for layer in (refused, streamed):
        await asyncio.gather(*(layer(REQUEST, provider) for _ in range(4)))
    full = [SPAN + 5.0] * 4 + [SPAN + SPAN + 5.0]
    assert provider.times == pytest.approx([5.0, 5.0, SPAN, *full])


@virtual_time
async def test_headers_are_not_read_unless_asked_for() -> None:
    layer, provider = _limit(requests_per_minute=100), Provider(headers=HEADERS)
    for _ in range(5):
        await layer(REQUEST, provider)
    assert provider.times == [0.0] * 5


@pytest.mark.parametrize(("own", "count"), [(2, 2), (1000, 3)])
def test_of_two_limits_the_lower_one_counts(own: int, count: int) -> None:
    async def main() -> int:
        layer = _limit(auto_detect=True, requests_per_minute=own)
        provider = Provider(headers=HEADERS)
        for _ in range(5):
            await layer(REQUEST, provider)
        return provider.times.count(0.0)

    assert run(main()) == count


@virtual_time
async def test_a_limit_that_a_server_stops_mentioning_still_holds() -> None:
    layer, provider = _limit(auto_detect=True), Provider(headers=HEADERS)
    await layer(REQUEST, provider)
    provider.headers = {"x-ratelimit-limit-tokens": "1000000"}
    for _ in range(3):
        await layer(REQUEST, provider)
    assert provider.times == [0.0, 0.0, 0.0, SPAN]


@virtual_time
async def test_nothing_left_pauses_until_the_reset() -> None:
    layer, provider = _limit(auto_detect=True), Provider(latency=2.0)
    provider.headers = HEADERS | {"x-ratelimit-remaining-requests": "0"}
    await layer(REQUEST, provider)
    await layer(REQUEST, provider)
    assert provider.times == [0.0, 20.0]


@virtual_time
async def test_an_output_limit_of_the_server_counts_output_only() -> None:
    layer, provider = _limit(auto_detect=True), Provider(usage=_used(50))
    provider.headers = {"anthropic-ratelimit-output-tokens-limit": "200"}
    for _ in range(5):  # 40 of 200 each, 90 of them reserved
        await layer(REQUEST, provider)
    assert provider.times == [0.0, 0.0, 0.0, SPAN, SPAN]


# The whole minute is used.


@pytest.mark.parametrize("latency", [0.0, 7.0])
def test_ninety_nine_percent_of_the_rate_are_used(latency: float) -> None:
    times: list[float] = []

    async def bounded() -> None:
        layer = _limit(requests_per_minute=60, tokens_per_minute=6000)
        provider = Provider(latency=latency, usage=_used(100))
        tasks = [asyncio.create_task(_call(layer, provider)) for _ in range(800)]
        await asyncio.sleep(600)
        times.extend(provider.times)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(bounded())
    assert len(times) >= 0.99 * 600
    assert all(later - first > 60 for first, later in zip(times, times[60:], strict=False))


@virtual_time
async def test_waits_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="flashlite.rate_limit")
    layer, provider = _limit(requests_per_minute=1), Provider()
    requests = [_ask("a", id="first"), _ask("b", id="second")]
    await asyncio.gather(*(layer(request, provider) for request in requests))
    assert [record.getMessage() for record in caplog.records] == [
        "p/m: request second waited 60.100 s"
    ]


# Loops and threads.


def test_a_minute_outlives_the_loop_it_began_in() -> None:
    layer = _limit(requests_per_minute=2)
    provider = Provider()

    async def calls(count: int) -> None:
        await asyncio.gather(*(layer(REQUEST, provider) for _ in range(count)))

    run(calls(1))
    run(calls(2), start=10.0)
    run(calls(1), start=65.0)
    assert provider.times == [0.0, 10.0, SPAN, 10.0 + SPAN]


def _in_threads(*functions: Callable[[], None]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_threads_at_once_share_one_minute() -> None:
    layer = RateLimit(RateLimitConfig(requests_per_minute=150), target=lambda _: TARGET)
    sent: list[float] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        sent.append(time.monotonic())
        await asyncio.sleep(0)
        return CompletionResponse.of("ok")

    async def calls() -> None:
        tasks = [asyncio.create_task(_call(layer, provider)) for _ in range(200)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    _in_threads(*[lambda: asyncio.run(calls())] * 2)
    assert len(sent) == 150


def test_tokens_given_back_in_one_thread_wake_a_waiter_in_another() -> None:
    layer = RateLimit(RateLimitConfig(tokens_per_minute=100), target=lambda _: TARGET)

    async def provider(request: CompletionRequest) -> CompletionResponse:
        await asyncio.sleep(0.0005)
        return CompletionResponse.of("ok", usage=Usage(input_tokens=0, output_tokens=0))

    done: list[None] = []

    async def calls() -> None:
        await asyncio.gather(*(layer(REQUEST, provider) for _ in range(50)))
        done.append(None)

    _in_threads(*[lambda: asyncio.run(calls())] * 2)
    assert len(done) == 2


# Configuration.


@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_minute"])
@pytest.mark.parametrize("value", [0, -1, 0.5, float("nan"), float("inf"), True, "60"])
def test_a_limit_that_makes_no_sense_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{field} is a number of at least 1, or None; got"):
        RateLimitConfig(**{field: value})


def test_a_config_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="rate_limit is a RateLimitConfig"):
        RateLimit.of(60)  # type: ignore[arg-type]
