"""Streams for browsers, for functions, and kept whole."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite import (
    Agent,
    BufferingAdapter,
    CallbackAdapter,
    CompletionResponse,
    ConfigError,
    Flashlite,
    PusherStreamer,
    RateLimitError,
    SSEAdapter,
    StreamEvent,
    StreamEventType,
    StreamInterruptedError,
    ToolCall,
    ToolCallDelta,
    Usage,
    collect_stream,
    format_sse_event,
    stream_to_string,
)
from flashlite.testing import ScriptedProvider
from flashlite.wire import SSEParser

from .virtual_time import virtual_time

T = StreamEventType
USAGE = Usage(input_tokens=3, output_tokens=2)
CALL = ToolCall("1", "add", {"a": 1})
ANSWER = CompletionResponse.of("Hello\n", reasoning="Hm.", tool_calls=[CALL], usage=USAGE, id="7")
EVENTS = (
    StreamEvent(T.REASONING, "Hm."),
    StreamEvent(T.TOKEN, "Hel"),
    StreamEvent(T.TOKEN, "lo\n"),
    StreamEvent(T.TOOL_CALL_START, ToolCallDelta(0, "1", "add")),
    StreamEvent(T.TOOL_CALL_DELTA, ToolCallDelta(0, "1", "add", '{"a": 1}')),
    StreamEvent(T.TOOL_CALL_END, CALL),
    StreamEvent(T.META, {"turn": 1}),
    StreamEvent(T.USAGE, USAGE),
    StreamEvent(T.DONE, ANSWER),
)
REFUSED = RateLimitError("too many requests", provider="openai", model="gpt", status_code=429)


class Stream:
    """A stream of these events, an exception being raised; `closed` says whether it was left."""

    def __init__(self, *events: StreamEvent | Exception) -> None:
        self.closed = False
        self._events = events

    async def __call__(self) -> AsyncGenerator[StreamEvent]:
        try:
            for event in self._events:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.closed = True


def read(texts: Iterable[str]) -> list[tuple[str, str]]:
    parser = SSEParser()
    return [(e.event, e.data.decode()) for text in texts for e in parser.feed(text.encode())]


# Server-sent events


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Hello", "event: token\ndata: Hello\n\n"),
        ("", "event: token\ndata: \n\n"),
        (" a\n\nb\n", "event: token\ndata:  a\ndata: \ndata: b\ndata: \n\n"),
        ("a\rb\r\nc", "event: token\ndata: a\ndata: b\ndata: c\n\n"),
        ("\ud83d", "event: token\ndata: ?\n\n"),
        ({"é": ["\n"]}, 'event: token\ndata: {"é":["\\n"]}\n\n'),
        (None, "event: token\ndata: null\n\n"),
    ],
)
def test_an_event_is_written_as_the_standard_says(data: Any, text: str) -> None:
    assert format_sse_event("token", data) == text
    assert StreamEvent(T.TOKEN, data).to_sse() == text


@given(st.text(), st.text().filter(lambda name: name and not re.search(r"[\r\n]", name)))
def test_our_own_parser_reads_back_any_text(text: str, name: str) -> None:
    assert read([format_sse_event(name, text)]) == [(name, re.sub("\r\n?", "\n", text))]


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists).filter(lambda v: v != str(v)))
def test_our_own_parser_reads_back_any_json(value: Any) -> None:
    [(_, data)] = read([format_sse_event("meta", value)])
    assert json.loads(data) == value


def test_every_event_has_text_or_json() -> None:
    assert read(event.to_sse() for event in EVENTS) == [
        ("reasoning", "Hm."),
        ("token", "Hel"),
        ("token", "lo\n"),
        ("tool_call_start", '{"index":0,"id":"1","name":"add","arguments":""}'),
        ("tool_call_delta", '{"index":0,"id":"1","name":"add","arguments":"{\\"a\\": 1}"}'),
        ("tool_call_end", json.dumps(CALL.to_dict(), separators=(",", ":"))),
        ("meta", '{"turn":1}'),
        ("usage", json.dumps(USAGE.to_dict(), separators=(",", ":"))),
        ("done", json.dumps(ANSWER.to_dict(), separators=(",", ":"))),
    ]


@pytest.mark.parametrize("name", ["a\nb", "a\rdata: x"])
def test_the_name_of_an_event_cannot_smuggle_in_another_line(name: str) -> None:
    with pytest.raises(ConfigError, match="the name of an event is one line"):
        format_sse_event(name, "x")


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="an event's data is JSON; got object"):
        format_sse_event("meta", object())


async def test_a_stream_becomes_server_sent_events() -> None:
    texts = [text async for text in SSEAdapter().transform(Stream(*EVENTS)())]
    assert texts == [event.to_sse() for event in EVENTS]


async def test_an_error_ends_the_response_as_an_event() -> None:
    stream = Stream(EVENTS[1], REFUSED)
    texts = [text async for text in SSEAdapter().transform(stream())]
    assert read(texts) == [
        ("token", "Hel"),
        ("error", '{"status":429,"error":"too many requests"}'),
    ]
    assert stream.closed


async def test_a_foreign_error_is_told_without_its_words_and_raised() -> None:
    texts = list[str]()
    stream = Stream(EVENTS[1], RuntimeError("the key is sk-1"))

    async def respond() -> None:
        async for text in SSEAdapter().transform(stream()):
            texts.append(text)

    with pytest.raises(RuntimeError, match="the key is sk-1"):
        await respond()
    assert read(texts)[1:] == [("error", '{"status":500,"error":"internal error"}')]


@pytest.mark.parametrize("heartbeat", [None, 5.0])
async def test_a_reader_who_leaves_closes_the_stream(heartbeat: float | None) -> None:
    stream = Stream(*EVENTS)
    async with aclosing(SSEAdapter(heartbeat=heartbeat).transform(stream())) as texts:
        assert await anext(texts) == EVENTS[0].to_sse()
    assert stream.closed


async def slow(*pauses: float) -> AsyncGenerator[StreamEvent]:
    for number, pause in enumerate(pauses):
        await asyncio.sleep(pause)
        yield StreamEvent(T.TOKEN, str(number))


@virtual_time
async def test_a_silent_stream_is_kept_alive() -> None:
    adapter = SSEAdapter(heartbeat=15)
    texts = [text async for text in adapter.transform(slow(1, 40, 14))]
    tokens = [StreamEvent(T.TOKEN, str(number)).to_sse() for number in range(3)]
    assert texts == [tokens[0], ":\n\n", ":\n\n", *tokens[1:]]
    assert read(texts) == [("token", "0"), ("token", "1"), ("token", "2")]


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"id": 7}, "id: 7\n"),
        ({"id": "a b"}, "id: a b\n"),
        ({"id": ""}, "id: \n"),
        ({"retry": 0}, "retry: 0\n"),
        ({"id": 1, "retry": 3000}, "id: 1\nretry: 3000\n"),
    ],
)
def test_an_event_may_have_an_id_and_a_time_to_ask_again(fields: Any, lines: str) -> None:
    assert format_sse_event("token", "a\nb", **fields) == (
        f"event: token\ndata: a\ndata: b\n{lines}\n"
    )
    assert StreamEvent(T.TOKEN, "a\nb").to_sse(**fields) == format_sse_event(
        "token", "a\nb", **fields
    )


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0")), st.integers(0, 10**14))
def test_our_own_parser_reads_back_any_id_and_retry(id: str, retry: int) -> None:
    text = format_sse_event("token", "x", id=id, retry=retry)
    assert list(SSEParser().feed(text.encode())) == [(b"x", "token", id, retry)]


@pytest.mark.parametrize("id", ["a\nb", "a\rdata: x", "a\0"])
def test_an_id_cannot_smuggle_in_another_line(id: str) -> None:
    with pytest.raises(ConfigError, match="the id of an event is one line without NUL"):
        format_sse_event("token", "x", id=id)


@pytest.mark.parametrize("retry", [-1, 1.5, "3\ndata: x", True])
def test_a_retry_is_a_number_of_milliseconds(retry: Any) -> None:
    for make in (lambda: format_sse_event("a", "x", retry=retry), lambda: SSEAdapter(retry=retry)):
        with pytest.raises(ConfigError, match="retry is a whole number of milliseconds"):
            make()


def seen_by_a_browser(texts: Iterable[str]) -> list[tuple[str | None, int | None, str]]:
    parser = SSEParser()
    return [(e.id, e.retry, e.event) for text in texts for e in parser.feed(text.encode())]


@pytest.mark.parametrize("heartbeat", [None, 9.0])
async def test_a_browser_that_lost_the_connection_goes_on_behind_the_last_event_it_read(
    heartbeat: float | None,
) -> None:
    adapter = SSEAdapter(heartbeat=heartbeat, ids=True, retry=2000)
    texts = [text async for text in adapter.transform(Stream(*EVENTS)())]
    names = [event.type.value for event in EVENTS]
    assert seen_by_a_browser(texts) == [
        (str(number), 2000 if number == 1 else None, name) for number, name in enumerate(names, 1)
    ]

    last, _, _ = seen_by_a_browser(texts)[3]  # what the browser says in Last-Event-ID
    rest = [t async for t in adapter.transform(Stream(*EVENTS)(), after=int(last or 0))]

    assert seen_by_a_browser(rest)[0] == ("5", 2000, names[4])
    assert read(texts[:4] + rest) == read(texts)


@pytest.mark.parametrize(
    ("after", "read_later"),
    [
        (0, [("1", 9, "token"), ("2", None, "error")]),
        (1, [("2", 9, "error")]),
        (5, [("2", 9, "error")]),
    ],
)
async def test_an_error_has_the_next_id(after: int, read_later: list[Any]) -> None:
    stream = SSEAdapter(ids=True, retry=9).transform(Stream(EVENTS[1], REFUSED)(), after=after)
    assert seen_by_a_browser([text async for text in stream]) == read_later


@virtual_time
async def test_a_reader_who_leaves_while_the_model_thinks_closes_the_stream() -> None:
    closed = list[bool]()

    async def thinking() -> AsyncGenerator[StreamEvent]:
        try:
            await asyncio.sleep(1000)
            yield EVENTS[0]
        finally:
            closed.append(True)

    async with aclosing(SSEAdapter(heartbeat=15).transform(thinking())) as texts:
        assert await anext(texts) == ":\n\n"
    assert closed == [True]


async def test_an_error_reaches_a_reader_with_heartbeats_too() -> None:
    texts = [t async for t in SSEAdapter(heartbeat=9).transform(Stream(EVENTS[1], REFUSED)())]
    assert [name for name, _ in read(texts)] == ["token", "error"]


@pytest.mark.parametrize("heartbeat", [0, -1, float("nan")])
def test_a_heartbeat_is_a_time(heartbeat: float) -> None:
    with pytest.raises(ConfigError, match="heartbeat is a number of seconds"):
        SSEAdapter(heartbeat=heartbeat)


# Callbacks


@pytest.mark.parametrize("is_async", [False, True])
async def test_each_event_calls_its_function(is_async: bool) -> None:
    told = list[tuple[str, Any]]()

    def tell(name: str) -> Any:
        async def later(said: Any) -> None:
            told.append((name, said))

        return later if is_async else lambda said: told.append((name, said))

    names = ["token", "reasoning", "tool_start", "tool_end", "usage", "meta", "done", "error"]
    adapter = CallbackAdapter(**{f"on_{name}": tell(name) for name in names})
    assert await adapter.consume(Stream(*EVENTS)()) is ANSWER
    assert told == [
        ("reasoning", "Hm."),
        ("token", "Hel"),
        ("token", "lo\n"),
        ("tool_start", ToolCallDelta(0, "1", "add")),
        ("tool_end", CALL),
        ("meta", {"turn": 1}),
        ("usage", USAGE),
        ("done", ANSWER),
    ]


async def test_without_functions_a_stream_is_only_read() -> None:
    assert await CallbackAdapter().consume(Stream(*EVENTS)()) is ANSWER


async def test_an_error_is_told_and_raised() -> None:
    told = list[Exception]()
    with pytest.raises(RateLimitError):
        await CallbackAdapter(on_error=told.append).consume(Stream(EVENTS[0], REFUSED)())
    assert told == [REFUSED]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((), "the stream was not read to its end"),
        ((EVENTS[1],), "the stream was not read to its end"),
        ((EVENTS[1], StreamEvent(T.ERROR, {"status": 500, "error": "no"})), "no"),
        ((EVENTS[1], StreamEvent(T.ERROR)), "the stream ended with an error"),
        ((StreamEvent(T.DONE, CompletionResponse.of("a", error="cut off")),), "cut off"),
    ],
)
async def test_a_stream_without_an_answer_is_an_error(
    events: tuple[StreamEvent, ...], reason: str
) -> None:
    told = list[Exception]()
    with pytest.raises(StreamInterruptedError, match=reason):
        await CallbackAdapter(on_error=told.append).consume(Stream(*events)())
    assert [str(error) for error in told] == [reason]
    for read_all in (collect_stream, stream_to_string):
        with pytest.raises(StreamInterruptedError, match=reason):
            await read_all(Stream(*events)())


async def test_a_function_that_raises_closes_the_stream() -> None:
    stream = Stream(*EVENTS)
    with pytest.raises(ZeroDivisionError):
        await CallbackAdapter(on_token=lambda _: 1 / 0).consume(stream())
    assert stream.closed


# Buffering


async def test_a_buffer_keeps_what_passes_through_it() -> None:
    buffer = BufferingAdapter()
    assert [event async for event in buffer.wrap(Stream(*EVENTS)())] == list(EVENTS)
    kept = (buffer.content, buffer.reasoning, buffer.tool_calls, buffer.usage)
    assert kept == ("Hello\n", "Hm.", [CALL], USAGE)
    assert buffer.get_result() is ANSWER


async def test_a_buffer_keeps_the_first_choice_only() -> None:
    buffer = BufferingAdapter()
    events = [StreamEvent(T.TOKEN, "a"), StreamEvent(T.TOKEN, "b", index=1)]
    assert [event async for event in buffer.wrap(Stream(*events)())] == events
    assert buffer.content == "a"


def partial(result: CompletionResponse) -> tuple[Any, ...]:
    return result.ok, result.error, result.content, result.reasoning, result.tool_calls


async def test_of_a_stream_left_early_the_result_says_so() -> None:
    buffer, stream = BufferingAdapter(), Stream(*EVENTS)
    async with aclosing(buffer.wrap(stream())) as events:
        async for event in events:
            if event.type == T.TOKEN:
                break
    error = "the stream was not read to its end"
    assert partial(buffer.get_result()) == (False, error, "Hel", "Hm.", None)
    assert stream.closed


async def test_of_a_stream_that_broke_the_result_says_why() -> None:
    buffer = BufferingAdapter()
    with pytest.raises(RateLimitError):
        [event async for event in buffer.wrap(Stream(EVENTS[5], REFUSED)())]
    assert partial(buffer.get_result()) == (False, "too many requests", "", None, [CALL])


def test_of_a_stream_that_nobody_read_there_is_no_answer() -> None:
    assert BufferingAdapter().get_result().ok is False


async def test_of_a_done_without_an_answer_one_is_put_together() -> None:
    result = await collect_stream(Stream(EVENTS[1], StreamEvent(T.DONE))())
    assert partial(result) == (True, None, "Hel", None, None)


async def test_a_buffer_keeps_one_stream() -> None:
    buffer = BufferingAdapter()
    assert [event async for event in buffer.wrap(Stream()())] == []
    with pytest.raises(ConfigError, match="keeps one stream"):
        await anext(buffer.wrap(Stream()()))


async def test_an_iterator_that_cannot_be_closed_is_read_too() -> None:
    class Plain:
        def __init__(self) -> None:
            self._events = iter(EVENTS)

        def __aiter__(self) -> Plain:
            return self

        async def __anext__(self) -> StreamEvent:
            for event in self._events:
                return event
            raise StopAsyncIteration

    assert await stream_to_string(Plain()) == "Hello\n"
    texts = [text async for text in SSEAdapter(heartbeat=9).transform(Plain())]
    assert texts == [event.to_sse() for event in EVENTS]


async def test_the_streams_of_a_client_fit() -> None:
    client = Flashlite("mock/echo")
    assert await stream_to_string(client.stream("Hello you")) == "Hello you"
    assert (await collect_stream(client.stream("Hello you"))).usage is not None


# Pusher


class Channel:
    """What stands for a `pusher.Pusher`: it keeps the batches, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches = list[list[dict[str, str]]]()
        self._error = error

    def trigger_batch(self, batch: list[dict[str, str]]) -> None:
        if self._error is not None:
            raise self._error
        self.batches.append(batch)

    @property
    def events(self) -> list[tuple[str, Any]]:
        assert all(event["channel"] == "private-1" for batch in self.batches for event in batch)
        assert all(len(batch) <= 10 for batch in self.batches)
        assert all(len(event["data"]) <= 10_000 for batch in self.batches for event in batch)
        return [(e["name"], json.loads(e["data"])) for batch in self.batches for e in batch]


async def test_a_stream_is_sent_to_a_channel() -> None:
    channel = Channel()
    answer = await PusherStreamer("private-1", client=channel).consume(Stream(*EVENTS)())
    assert answer is ANSWER
    usage = USAGE.to_dict()
    start = {"index": 0, "id": "1", "name": "add", "arguments": ""}
    assert channel.events == [
        ("reasoning", "Hm."),
        ("token", "Hello\n"),
        ("tool_call_start", start),
        ("tool_call_delta", start | {"arguments": '{"a": 1}'}),
        ("tool_call_end", CALL.to_dict()),
        ("meta", {"turn": 1}),
        ("usage", usage),
        ("done", {"id": "7", "model": "", "finish_reason": "stop", "usage": usage}),
    ]


# Agents


def broken() -> None:
    """Fail."""
    raise ValueError("sk-inside")


def streaming_agent() -> Agent:
    asked = CompletionResponse.of("Hm.", tool_calls=[ToolCall("1", "broken")], usage=USAGE)
    client = Flashlite("m", provider=ScriptedProvider([asked, CompletionResponse.of("No.")]))
    return Agent("Ann", system_prompt="Keep this.", client=client, tools=[broken], top_p=0.1)


async def test_a_browser_reads_what_an_agent_answered_and_not_what_it_remembers() -> None:
    stream = streaming_agent().stream("Hi")
    *_, done = [event async for event in SSEAdapter().transform(stream)]
    assert json.loads(done.partition("data: ")[2]) == {
        "content": "No.",
        "status": "success",
        "error": None,
        "num_turns": 2,
        "finish_reason": "stop",
        "usage": None,
        "cost": None,
    }
    channel = Channel()
    result: Any = await PusherStreamer("private-1", client=channel).consume(
        streaming_agent().stream("Hi")
    )
    told = {name: value for name, value in result.to_dict().items() if name != "content"}
    assert channel.events[-1] == ("done", told)


async def test_a_buffer_counts_all_turns_of_an_agent() -> None:
    turn = StreamEvent(T.META, {"event": "turn_start"})
    used = StreamEvent(T.USAGE, USAGE)
    more = StreamEvent(T.USAGE, Usage(input_tokens=3, output_tokens=7))
    buffer = BufferingAdapter()
    async for _ in buffer.wrap(Stream(turn, used, more, turn, used)()):
        pass
    assert buffer.usage == USAGE + more.data


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=50), max_size=5), st.integers(1, 99))
def test_any_text_arrives_whole(texts: list[str], times: int) -> None:
    events = [StreamEvent(T.TOKEN, text) for text in texts * times]
    channel, stream = Channel(), Stream(*events, EVENTS[-1])
    asyncio.run(PusherStreamer("private-1", client=channel).consume(stream()))
    assert "".join(d for name, d in channel.events if name == "token") == "".join(texts * times)
    assert channel.events[-1][0] == "done"


async def test_data_too_large_for_pusher_is_left_out_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = Channel()
    large = StreamEvent(T.META, {"x": "y" * 20_000})
    await PusherStreamer("private-1", client=channel).consume(Stream(large, EVENTS[-1])())
    assert [channel.events[0], channel.events[1][0]] == [("meta", None), "done"]
    said = "20008 bytes of a meta event are too many for Pusher"
    assert caplog.record_tuples == [("flashlite.streaming", logging.WARNING, said)]


async def test_a_stream_that_breaks_ends_the_channel_with_an_error() -> None:
    channel = Channel()
    with pytest.raises(RateLimitError):
        await PusherStreamer("private-1", client=channel).consume(Stream(EVENTS[1], REFUSED)())
    error = {"status": 429, "error": "too many requests"}
    assert channel.events == [("token", "Hel"), ("error", error)]


async def test_what_pusher_raises_closes_the_stream() -> None:
    closed = list[bool]()

    async def endless() -> AsyncGenerator[StreamEvent]:
        try:
            while True:
                yield EVENTS[1]
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(OSError, match="down"):
        await PusherStreamer("private-1", client=Channel(OSError("down"))).consume(endless())
    assert closed == [True]


async def test_a_cancelled_stream_is_closed_and_nothing_more_is_sent() -> None:
    stream, channel = Stream(*EVENTS), Channel()
    task = asyncio.ensure_future(PusherStreamer("private-1", client=channel).consume(stream()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert channel.batches == []


async def test_a_missing_account_is_named_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("APP_ID", "KEY", "SECRET", "CLUSTER"):
        monkeypatch.setenv(f"PUSHER_{name}", "")
    monkeypatch.setenv("PUSHER_KEY", "k")
    monkeypatch.setitem(sys.modules, "pusher", object())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"set PUSHER_APP_ID, PUSHER_CLUSTER$"):
        await PusherStreamer("private-1", secret="s").consume(Stream()())


async def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pusher", None)
    with pytest.raises(ConfigError, match=r"pip install 'flashlite\[pusher\]'"):
        await PusherStreamer("private-1").consume(Stream()())
