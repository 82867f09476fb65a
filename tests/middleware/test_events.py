"""Callbacks: told of every call, in order, and never in its way."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import pytest

from flashlite.errors import (
    APIConnectionError,
    ConfigError,
    RateLimitError,
    StreamInterruptedError,
)
from flashlite.middleware import stack
from flashlite.middleware.events import CallbackManager, Events
from flashlite.providers import MockProvider, Router
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider
from flashlite.types import CompletionRequest, CompletionResponse, Handler, Message

REQUEST = CompletionRequest(model="openai/m", messages=(Message.user("Hi"),), api_key="none")

PIECES = [
    {"choices": [{"index": 0, "delta": {"content": "Hel"}}]},
    {"choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
    "[DONE]",
]


class Clock:
    """Time that passes only in the handler."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def noting(notes: list[Any]) -> CallbackManager:
    callbacks = CallbackManager()
    callbacks.on_request(lambda request, request_id: notes.append(("asked", request_id)))
    callbacks.on_response(
        lambda response, request_id, latency_ms, cached: notes.append(
            ("answered", response.content, request_id, latency_ms, cached)
        )
    )
    callbacks.on_error(
        lambda error, request_id, latency_ms: notes.append(
            ("failed", type(error), request_id, latency_ms)
        )
    )
    return callbacks


def streaming(*chunks: Any) -> Handler:
    reply = Reply.stream(chunks)
    if chunks[-1] != "[DONE]":
        broken = (*reply.chunks, APIConnectionError("gone"))
        reply = Reply(headers=reply.headers, chunks=broken)
    return Router(ReplayTransport([reply]))


async def test_an_answer_passes_through_and_is_told() -> None:
    notes: list[Any] = []
    answer = CompletionResponse.of("hello", latency=0.25)
    handler = stack([Events(noting(notes))], ScriptedProvider([answer]))
    assert await handler(REQUEST) is answer
    assert notes == [("asked", REQUEST.id), ("answered", "hello", REQUEST.id, 250.0, False)]


async def test_the_callbacks_of_the_quick_start_work_as_decorators() -> None:
    callbacks, notes = CallbackManager(), []

    @callbacks.on_request
    async def log_request(request, request_id):  # type: ignore[no-untyped-def]
        notes.append(f"[{request_id}] Sending request to {request.model}")

    @callbacks.on_response
    async def log_response(response, request_id, latency_ms, cached):  # type: ignore[no-untyped-def]
        cache_str = " (cached)" if cached else ""
        notes.append(f"[{request_id}] Got response in {latency_ms:.0f}ms{cache_str}")

    @callbacks.on_error
    async def log_error(error, request_id, latency_ms):  # type: ignore[no-untyped-def]
        notes.append(f"[{request_id}] Error: {error}")

    answers = [CompletionResponse.of("a", latency=0.5), RateLimitError("slow down")]
    handler = stack([Events(callbacks)], ScriptedProvider(answers))
    await handler(REQUEST)
    with pytest.raises(RateLimitError):
        await handler(REQUEST)
    name = f"[{REQUEST.id}]"
    assert notes == [
        f"{name} Sending request to openai/m",
        f"{name} Got response in 500ms",
        f"{name} Sending request to openai/m",
        f"{name} Error: slow down",
    ]
    assert all(map(callable, (log_request, log_response, log_error)))


async def test_a_cached_answer_takes_the_time_of_its_look_up() -> None:
    notes: list[Any] = []
    clock = Clock()

    async def cache(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        clock.now += 0.002
        return CompletionResponse.of("known", cached=True, latency=9.0)

    layers = [Events(noting(notes), clock=clock), cache]
    await stack(layers, ScriptedProvider([]))(REQUEST)
    assert notes[1] == ("answered", "known", REQUEST.id, pytest.approx(2.0), True)


async def test_an_error_is_told_with_the_time_since_the_call_began() -> None:
    notes: list[Any] = []
    clock = Clock()
    failure = RateLimitError("no")

    async def refuse(request: CompletionRequest) -> CompletionResponse:
        clock.now += 3.0
        raise failure

    with pytest.raises(RateLimitError) as caught:
        await stack([Events(noting(notes), clock=clock)], refuse)(REQUEST)
    assert caught.value is failure
    assert notes[1:] == [("failed", RateLimitError, REQUEST.id, 3000.0)]


async def test_a_bug_below_is_told_too() -> None:
    notes: list[Any] = []
    with pytest.raises(KeyError):
        await stack([Events(noting(notes))], ScriptedProvider([KeyError("a bug")]))(REQUEST)
    assert notes[1][:2] == ("failed", KeyError)


async def test_a_layer_below_may_answer_by_itself() -> None:
    async def short(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return CompletionResponse.of("mine", latency=0.0)

    notes: list[Any] = []
    await stack([Events(noting(notes)), short], ScriptedProvider([]))(REQUEST)
    assert notes[1] == ("answered", "mine", REQUEST.id, 0.0, False)


async def test_the_request_goes_down_as_it_came() -> None:
    provider = ScriptedProvider(["hello"])
    await stack([Events(noting([]))], provider)(REQUEST)
    assert provider.requests[0] is REQUEST


async def test_a_stream_is_told_when_it_is_complete() -> None:
    notes: list[Any] = []
    response = await stack([Events(noting(notes))], streaming(*PIECES))(REQUEST.with_(stream=True))
    assert notes == [("asked", REQUEST.id)]
    async for _ in response.events():
        pass
    assert notes[1:] == [
        ("answered", "Hello", REQUEST.id, pytest.approx((response.latency or 0) * 1000), False)
    ]


@pytest.mark.parametrize("way", ["break", "close"])
async def test_a_reader_who_stops_early_is_told_as_an_error(way: str) -> None:
    errors: list[Exception] = []
    callbacks = CallbackManager()
    callbacks.on_error(lambda error, request_id, latency_ms: errors.append(error))
    callbacks.on_response(lambda *_: pytest.fail("that was no answer"))
    response = await stack([Events(callbacks)], streaming(*PIECES))(REQUEST.with_(stream=True))
    if way == "close":
        await response.aclose()
    else:
        async with aclosing(response.events()) as events:
            await anext(events)
    assert [str(error) for error in errors] == [
        "openai/openai/m: the stream was not read to its end"
    ]
    assert isinstance(errors[0], StreamInterruptedError)


async def test_a_stream_that_breaks_is_told_as_an_error() -> None:
    notes: list[Any] = []
    response = await stack([Events(noting(notes))], streaming(*PIECES[:1]))(
        REQUEST.with_(stream=True)
    )
    with pytest.raises(StreamInterruptedError):
        async for _ in response.events():
            pass
    assert [note[:2] for note in notes[1:]] == [("failed", StreamInterruptedError)]


async def test_a_cancelled_call_has_no_callback() -> None:
    notes: list[Any] = []
    begun = asyncio.Event()

    async def never(request: CompletionRequest) -> CompletionResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    task = asyncio.ensure_future(stack([Events(noting(notes))], never)(REQUEST))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notes == [("asked", REQUEST.id)]


async def test_a_hundred_calls_at_once_are_told_under_their_own_ids() -> None:
    notes: list[Any] = []
    handler = stack([Events(noting(notes))], MockProvider("echo"))
    requests = [
        CompletionRequest(model="mock/echo", messages=(Message.user(str(n)),)) for n in range(100)
    ]
    await asyncio.gather(*map(handler, requests))
    told = {note[2]: note[1] for note in notes if note[0] == "answered"}
    assert told == {request.id: request.messages[0].text for request in requests}
    assert sum(note[0] == "asked" for note in notes) == 100


async def test_callbacks_run_in_their_order_and_may_be_plain_or_not() -> None:
    notes: list[str] = []
    callbacks = CallbackManager()

    class Told:
        async def __call__(self, request: CompletionRequest, request_id: str) -> None:
            await asyncio.sleep(0)
            notes.append("second")

    callbacks.on_request(lambda request, request_id: notes.append("first"))
    callbacks.on_request(Told())
    callbacks.on_request(lambda request, request_id: notes.append("third"))
    await stack([Events(callbacks)], ScriptedProvider(["hello"]))(REQUEST)
    assert notes == ["first", "second", "third"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_callback_that_raises_costs_neither_the_answer_nor_the_others(
    caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    notes: list[Any] = []
    callbacks = CallbackManager()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("of mine")

    async def fail_later(*_: Any) -> None:
        fail()

    for register in (callbacks.on_request, callbacks.on_response, callbacks.on_error):
        register(fail_later if is_async else fail)
    callbacks.on_response(lambda response, *_: notes.append(response.content))
    callbacks.on_error(lambda error, *_: notes.append(str(error)))
    handler = stack([Events(callbacks)], ScriptedProvider(["hello", RateLimitError("no")]))
    assert (await handler(REQUEST)).content == "hello"
    with pytest.raises(RateLimitError):
        await handler(REQUEST)
    assert notes == ["hello", "no"]
    name = "fail_later" if is_async else "fail"
    said = [(r.levelno, r.getMessage(), r.exc_info is not None) for r in caplog.records]
    assert said == [(logging.ERROR, f"the callback {name} failed", True)] * 4


async def test_cancelling_ends_a_callback_too() -> None:
    begun = asyncio.Event()
    callbacks = CallbackManager()

    @callbacks.on_response
    async def wait(*_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    handler = stack([Events(callbacks)], ScriptedProvider(["hello"]))
    task = asyncio.ensure_future(handler(REQUEST))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_manager_without_callbacks_is_no_matter() -> None:
    handler = stack([Events(CallbackManager())], ScriptedProvider(["hello"]))
    assert (await handler(REQUEST)).content == "hello"


def test_what_is_no_function_and_what_is_no_manager_is_refused() -> None:
    with pytest.raises(ConfigError):
        CallbackManager().on_request("print")  # type: ignore[type-var]
    with pytest.raises(ConfigError):
        Events([print])  # type: ignore[arg-type]
