"""A host over HTTP: what is sent, what came of it, and that nothing stays open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import (
    APIConnectionError,
    APITimeoutError,
    CompletionError,
    ConfigError,
    StreamInterruptedError,
)
from flashlite.middleware import RetryConfig
from flashlite.providers import HTTPProvider, OpenAIAdapter
from flashlite.providers.hosts import OPENAI
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import CompletionRequest, Message, StreamEvent
from flashlite.wire import WireRequest

from .cases import plain

KEY = "sk-proj-0123456789abcdef"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
ANSWER = {"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}], "usage": USAGE}
STREAM = [
    {"choices": [{"delta": {"content": "o"}}]},
    {"choices": [{"delta": {"content": "k"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": USAGE},
]
ONCE = RetryConfig(max_attempts=1)


@dataclass
class Door:
    """A transport for one reply, which sees what becomes of the response.

    One that waits never sends the last byte; `is_read` is set when all others are out.
    """

    reply: Reply
    waits: bool = False
    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    passed: list[Watched] = field(default_factory=list)
    requests: list[WireRequest] = field(default_factory=list)

    async def send(self, request: WireRequest) -> Watched:
        self.requests.append(request)
        response = await ReplayTransport([self.reply]).send(request)
        self.passed.append(Watched(response, self))
        return self.passed[-1]

    async def aclose(self) -> None:
        pass

    @property
    def closed(self) -> list[bool]:
        return [response.is_closed for response in self.passed]


class Watched:
    """A response that knows whether it was closed."""

    def __init__(self, response: Any, door: Door) -> None:
        self._response = response
        self._door = door
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.is_closed = False

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes]:
        async for chunk in self._response.chunks():
            yield chunk
        self._door.is_read.set()
        if self._door.waits:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.is_closed = True


def client(door: Any, model: str = "openai/m") -> Flashlite:
    return Flashlite(model, api_key=KEY, transport=door, retry=ONCE)


async def read(door: Any, **options: Any) -> list[StreamEvent]:
    return [event async for event in client(door).stream("Hi", **options)]


async def complete(door: Any) -> Any:
    return await client(door).complete("Hi")


@pytest.mark.parametrize("ask", [complete, read])
async def test_a_whole_answer_leaves_nothing_open(ask: Callable[[Any], Awaitable[Any]]) -> None:
    door = Door(Reply.stream(STREAM) if ask is read else Reply.of(ANSWER))
    await ask(door)
    # A body that was read to its end has given its connection back by itself.
    assert door.closed == [ask is read]


BROKEN = {
    "refused": Reply.of({"error": "No."}, status=401),
    "refused without words": Reply(status=503),
    "not JSON": Reply(chunks=(b"<html>",)),
    "an error inside": Reply.of({"error": "No."}),
    "no choices": Reply.of({"choices": []}),
    "broken off": Reply(chunks=(b'{"cho', APIConnectionError("the connection broke"))),
}


@pytest.mark.parametrize("ask", [complete, read])
@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
async def test_what_is_no_answer_leaves_nothing_open(
    reply: Reply, ask: Callable[[Any], Awaitable[Any]]
) -> None:
    door = Door(reply)
    with pytest.raises(CompletionError):
        await ask(door)
    assert door.closed == [True]


BROKEN_STREAMS = {
    "no finish reason": STREAM[:2],
    "no JSON": [*STREAM[:1], "<html>"],
    "an error event": [*STREAM[:1], {"error": "No."}],
    "an error event at once": [{"error": "No."}],
    "nothing": [],
}


@pytest.mark.parametrize("events", BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
async def test_a_stream_that_breaks_leaves_nothing_open(events: list[Any]) -> None:
    door = Door(Reply.stream(events))
    with pytest.raises(CompletionError):
        await read(door)
    assert door.closed == [True]


async def test_a_connection_that_breaks_under_a_stream_leaves_nothing_open() -> None:
    chunks = (*Reply.stream(STREAM[:1]).chunks, APIConnectionError("the connection broke"))
    door = Door(Reply(headers={"content-type": "text/event-stream"}, chunks=chunks))
    with pytest.raises(StreamInterruptedError, match="the stream broke off: the connection broke"):
        await read(door)
    assert door.closed == [True]


@pytest.mark.parametrize("upto", [1, 2, 3])
async def test_a_reader_who_stops_early_leaves_nothing_open(upto: int) -> None:
    door, seen = Door(Reply.stream(STREAM)), []
    async with aclosing(client(door).stream("Hi")) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == upto:
                break
    assert (len(seen), door.closed) == (upto, [True])


@pytest.mark.parametrize("ask", [complete, read])
async def test_cancellation_leaves_nothing_open(ask: Callable[[Any], Awaitable[Any]]) -> None:
    door = Door(Reply.stream(STREAM[:1]) if ask is read else Reply(chunks=(b"{",)), waits=True)
    task = asyncio.ensure_future(ask(door))
    await door.is_read.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert door.closed == [True]


async def test_time_that_runs_out_leaves_nothing_open() -> None:
    door = Door(Reply(chunks=(b"{",)), waits=True)
    with pytest.raises(APITimeoutError):
        await client(door).complete("Hi", timeout=0.01)
    assert door.closed == [True]


async def test_time_that_runs_out_before_the_first_event_leaves_nothing_open() -> None:
    door = Door(Reply.stream([]), waits=True)
    with pytest.raises(APITimeoutError):
        await read(door, timeout=0.01)
    assert door.closed == [True]


async def test_latency_counts_the_time_on_the_wire() -> None:
    response = await complete(Door(Reply.of(ANSWER)))
    assert 0 < response.latency < 1


async def test_latency_of_a_stream_is_known_before_its_last_event_is_out() -> None:
    async for event in client(Door(Reply.stream(STREAM))).stream("Hi"):
        if event.type == "done":
            assert 0 < event.data.latency < 1
            break
    else:
        pytest.fail("the stream had no last event")


@pytest.mark.parametrize("ask", [complete, read])
async def test_an_answer_tells_whose_it_is_and_what_the_server_said_beside_it(
    ask: Callable[[Any], Awaitable[Any]],
) -> None:
    headers = {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "59"}
    reply = Reply.of(ANSWER, headers=headers)
    if ask is read:
        stream = Reply.stream(STREAM)
        reply = Reply(headers={**stream.headers, **headers}, chunks=stream.chunks)
    result = await ask(Door(reply))
    response = result[-1].data if ask is read else result
    assert (response.provider, response.request_id) == ("openai", "req_1")
    assert response.headers == reply.headers
    assert response.raw == (None if ask is read else ANSWER)


@pytest.mark.parametrize("ask", ["complete", "stream"])
@pytest.mark.parametrize(
    ("model", "cost"),
    [
        # 1000 tokens at 2.50 and 100 at 10 dollars per million.
        ("openai/gpt-4o", {"input_cost": 0.0025, "output_cost": 0.001, "total_cost": 0.0035}),
        ("openai/m", {}),
        ("ollama/m", {}),
    ],
)
async def test_an_answer_is_priced_where_the_price_is_known(
    model: str, cost: dict[str, float], ask: str
) -> None:
    engine = client(Door(Reply.of(ANSWER) if ask == "complete" else Reply.stream(STREAM)), model)
    if ask == "complete":
        usage = (await engine.complete("Hi")).usage
    else:
        events = [event async for event in engine.stream("Hi")]
        usage = events[-1].data.usage
        assert [event.data for event in events if event.type == "usage"] == [usage]
    tokens = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    assert plain(usage) == tokens | {name: pytest.approx(value) for name, value in cost.items()}


async def test_what_a_provider_billed_is_not_worked_out_again() -> None:
    reply = Reply.of({**ANSWER, "usage": {**USAGE, "cost": 0.25}})
    response = await client(Door(reply), "openai/gpt-4o").complete("Hi")
    assert plain(response.usage) == {
        "input_tokens": 1000,
        "output_tokens": 100,
        "total_tokens": 1100,
        "total_cost": 0.25,
    }


async def test_an_answer_without_usage_has_no_cost() -> None:
    reply = Reply.of({"choices": ANSWER["choices"]})
    response = await client(Door(reply), "openai/gpt-4o").complete("Hi")
    assert (response.usage, response.cost) == (None, None)


@pytest.mark.parametrize("ask", ["complete", "stream"])
async def test_on_send_gets_exactly_what_each_attempt_sends(ask: str) -> None:
    good = Reply.of(ANSWER) if ask == "complete" else Reply.stream(STREAM)
    transport = ReplayTransport([Reply.of({}, status=503), APIConnectionError("gone"), good])
    seen: list[Mapping[str, Any]] = []
    engine = Flashlite(
        "openai/m",
        api_key=KEY,
        transport=transport,
        retry=RetryConfig(initial_delay=0),
        on_send=seen.append,
        extra_body={"x": 1},
    )
    if ask == "complete":
        await engine.complete("Hi", max_tokens=5, top_k=3)
    else:
        assert len([event async for event in engine.stream("Hi", max_tokens=5, top_k=3)]) == 4
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_completion_tokens": 5,
        "x": 1,
    }
    body |= {"stream": True, "stream_options": {"include_usage": True}} if ask == "stream" else {}
    assert seen == [body] * 3
    assert [request.json for request in transport.requests] == seen


async def test_a_call_that_cannot_be_sent_is_not_announced() -> None:
    seen: list[Any] = []
    with pytest.raises(ConfigError):
        await Flashlite("openai/m", on_send=seen.append).complete("Hi")
    assert seen == []


async def test_a_parameter_that_the_host_refuses_is_reported_once_and_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = ReplayTransport([Reply.of(ANSWER)] * 3)
    engine = Flashlite("openai/m", api_key=KEY, transport=transport)
    thinking = {"type": "enabled"}
    await engine.complete("Hi", top_k=5, temperature=0)
    await engine.complete("Hi", top_k=5)
    await engine.complete("Hi", top_k=5, thinking=thinking)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert [request.json for request in transport.requests] == [
        {**body, "temperature": 0},
        body,
        body,
    ]
    assert caplog.record_tuples == [
        (
            "flashlite.providers",
            logging.WARNING,
            f"openai does not take {name}: not sent (reported once)",
        )
        for name in ("top_k", "thinking")
    ]


async def test_a_parameter_that_the_host_refuses_is_an_error_where_that_is_wanted() -> None:
    transport = ReplayTransport([])
    engine = Flashlite("openai/m", api_key=KEY, transport=transport, strict_params=True)
    with pytest.raises(ConfigError, match="openai does not take thinking, top_k; leave it out"):
        await engine.complete("Hi", top_k=5, thinking={"type": "enabled"})
    assert transport.requests == []


async def test_a_provider_is_a_handler_by_itself_and_leaves_the_request_alone() -> None:
    provider = HTTPProvider(OPENAI, OpenAIAdapter(), ReplayTransport([Reply.of(ANSWER)]))
    request = CompletionRequest(
        model="m", messages=(Message.user("Hi"),), params={"top_k": 5}, api_key=KEY
    )
    assert (await provider(request)).content == "ok"
    assert request == CompletionRequest(
        model="m", messages=(Message.user("Hi"),), params={"top_k": 5}, api_key=KEY
    )


async def test_a_hundred_calls_at_once_get_their_own_answers() -> None:
    class Echo:
        async def send(self, request: WireRequest) -> Any:
            await asyncio.sleep(0)
            text = request.json["messages"][0]["content"]
            answer = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
            return await ReplayTransport([Reply.of(answer)]).send(request)

        async def aclose(self) -> None:
            pass

    engine = client(Echo())
    texts = [str(number) for number in range(100)]
    answers = await asyncio.gather(*(engine.complete(text) for text in texts))
    assert [answer.content for answer in answers] == texts
