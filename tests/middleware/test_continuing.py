"""Continuing: an answer that pauses is asked for until it is whole, and all of it is paid for."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from flashlite import Flashlite, Message
from flashlite.errors import BadRequestError, InternalServerError, StreamInterruptedError
from flashlite.middleware import Continuing
from flashlite.stores import MemoryCache
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider
from flashlite.types import (
    CompletionRequest,
    CompletionResponse,
    StreamEvent,
    StreamEventType,
    Timeout,
    Usage,
)

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
USED = Usage(input_tokens=10, output_tokens=5, total_cost=0.5)
REQUEST = CompletionRequest(model="m", messages=(Message.user("Hi"),), tools=(SEARCH,))
CALL = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}


def part(text: str, *, pauses: bool = True, **fields: Any) -> CompletionResponse:
    facts = {"stop_reason": "pause_turn"} if pauses else {}
    reason = "length" if pauses else "stop"
    given: Any = {"usage": USED, "latency": 1.0} | fields
    return CompletionResponse.of(
        text, finish_reason=reason, facts=facts | given.pop("facts", {}), **given
    )


def body(*blocks: Any, stop_reason: str = "end_turn", **fields: Any) -> dict[str, Any]:
    return {
        "id": f"msg_{stop_reason}",
        "model": "claude-opus-4-6",
        "content": list(blocks),
        "stop_reason": stop_reason,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **fields,
    }


def streamed(answer: dict[str, Any]) -> Reply:
    """Return an answer as a stream of one delta a block."""
    events: list[Any] = [{"type": "message_start", "message": {**answer, "content": []}}]
    for index, block in enumerate(answer["content"]):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_stop", "index": index})
    told = {"stop_reason": answer["stop_reason"]}
    events.append({"type": "message_delta", "delta": told, "usage": answer["usage"]})
    return Reply.stream([*events, {"type": "message_stop"}])


def client(*replies: Reply, **options: Any) -> tuple[Flashlite, ReplayTransport]:
    transport = ReplayTransport(replies)
    given: Any = {"api_key": "k", "transport": transport, "tools": [SEARCH], **options}
    return Flashlite("anthropic/claude-opus-4-6", **given), transport


PAUSED = body({"type": "text", "text": "Look: "}, CALL, stop_reason="pause_turn")
ENDED = body(FOUND, {"type": "text", "text": "done."})


async def test_an_answer_that_pauses_goes_on_until_it_is_whole() -> None:
    provider = ScriptedProvider([part("One, "), part("two, "), part("three.", pauses=False)])
    response = await Continuing()(REQUEST, provider)
    assert (response.content, response.finish_reason) == ("One, two, three.", "stop")
    assert (response.usage, response.attempts, response.latency) == (USED + USED + USED, 3, 3.0)
    assert [[message.text for message in request.messages] for request in provider.requests] == [
        ["Hi"],
        ["Hi", "One, "],
        ["Hi", "One, ", "two, "],
    ]


async def test_a_request_without_tools_of_the_provider_passes_as_it_is() -> None:
    request = REQUEST.with_(tools=({"type": "function", "function": {"name": "f"}},))
    provider = ScriptedProvider([answer := part("Hm.")])
    assert await Continuing()(request, provider) is answer
    assert provider.requests[0] is request


async def test_what_runs_in_a_container_goes_on_in_it_and_calls_of_tools_are_counted() -> None:
    parts = [
        part("1", facts={"container": {"id": "c1"}, "server_tool_use": {"searches": 2}}),
        part("2", pauses=False, facts={"server_tool_use": {"searches": 1, "fetches": 1}}),
    ]
    request = REQUEST.with_(extra_body={"mcp_servers": []})
    response = await Continuing()(request, provider := ScriptedProvider(parts))
    assert provider.requests[1].extra_body == {"mcp_servers": [], "container": "c1"}
    assert response.facts == {
        "server_tool_use": {"searches": 3, "fetches": 1},
        "context_tokens": 10,
    }


async def test_an_answer_that_never_ends_is_one_that_was_cut() -> None:
    provider = ScriptedProvider(part(str(number % 10)) for number in range(99))
    response = await Continuing()(REQUEST, provider)
    assert (response.content, response.finish_reason) == ("0123456789" * 2, "length")
    assert len(provider.requests) == response.attempts == 20


async def test_all_parts_have_the_time_of_one_call() -> None:
    now = iter([0.0, 6.0, 11.0])
    provider = ScriptedProvider([part("1"), part("2"), part("3")])
    request = REQUEST.with_(timeout=Timeout(total=10))
    response = await Continuing(clock=lambda: next(now))(request, provider)
    assert [request.timeout.total for request in provider.requests] == [10, 4]
    assert (response.content, response.finish_reason) == ("12", "length")


async def test_a_failure_tells_what_the_parts_before_it_have_used() -> None:
    provider = ScriptedProvider([part("1"), part("2"), InternalServerError("down")])
    with pytest.raises(InternalServerError) as caught:
        await Continuing()(REQUEST, provider)
    assert (caught.value.usage, caught.value.attempts) == (USED + USED, 3)


async def test_claude_gets_its_turn_back_and_the_answer_is_cached_whole() -> None:
    asked, transport = client(Reply.of(PAUSED), Reply.of(ENDED), cache=MemoryCache())
    response = await asked.complete("Hi")
    assert response.message == {
        "role": "assistant",
        "content": [*PAUSED["content"], *ENDED["content"]],
    }
    assert transport.requests[1].json["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": PAUSED["content"]},
    ]
    assert (await asked.complete("Hi")).message == response.message
    assert asked.total_tokens == 30


async def test_a_stream_goes_on_too_and_is_the_same_answer_with_one_end() -> None:
    asked, transport = client(streamed(PAUSED), streamed(ENDED), max_concurrency=1)
    events = [event async for event in asked.stream("Hi")]
    *_, used, done = events
    plain, _ = client(Reply.of(PAUSED), Reply.of(ENDED))
    expected, whole = await plain.complete("Hi"), done.data
    assert texts(events) == ["Look: ", "done."]
    assert [event.type for event in events].count(StreamEventType.DONE) == 1
    assert (used.type, used.data) == (StreamEventType.USAGE, expected.usage)
    assert (whole.message, whole.usage) == (expected.message, expected.usage)
    assert (whole.ok, whole.finish_reason, whole.attempts) == (True, "stop", 2)
    assert transport.requests[1].json["messages"][1]["content"] == PAUSED["content"]
    assert asked.total_tokens == plain.total_tokens == 30


async def test_a_server_that_answers_in_one_piece_where_a_stream_was_wanted_goes_on_so() -> None:
    asked, transport = client(Reply.of(PAUSED), Reply.of(ENDED))
    events = [event async for event in asked.stream("Hi")]
    assert texts(events) == ["Look: done."]
    assert [request.json.get("stream") for request in transport.requests] == [True, None]


def texts(events: list[StreamEvent]) -> list[str]:
    return [event.data for event in events if event.type is StreamEventType.TOKEN]


async def test_a_stream_that_breaks_after_the_pause_is_no_answer_and_all_of_it_is_counted() -> None:
    whole = streamed(ENDED)
    broken = Reply(headers=whole.headers, chunks=whole.chunks[:3])
    asked, _ = client(streamed(PAUSED), broken)
    with pytest.raises(StreamInterruptedError):
        [event async for event in asked.stream("Hi")]
    assert asked.total_tokens == 30


async def test_a_stream_that_may_not_go_on_says_why() -> None:
    refused = Reply.of({"type": "error", "error": {"message": "no"}}, status=400)
    asked, _ = client(streamed(PAUSED), refused)
    response = await asked.handle(asked.build("Hi", None, {}).with_(stream=True))
    with pytest.raises(BadRequestError):
        [event async for event in response.events()]
    assert (response.ok, response.error) == (False, "the answer paused, and did not go on")
    assert (response.content, asked.total_tokens) == ("Look: ", 15)


async def test_a_reader_who_leaves_before_the_pause_leads_to_no_further_request() -> None:
    asked, transport = client(streamed(PAUSED), streamed(ENDED), max_concurrency=1)
    async with aclosing(asked.stream("Hi")) as events:
        assert (await anext(events)).type is not StreamEventType.DONE
    assert len(transport.requests) == 1
