"""Anthropic's dialect, streamed: every event and the answer that they end in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite import Flashlite, Message
from flashlite.testing import ReplayTransport, Reply

from .cases import check_answer, event_stream, load, spoiled
from .streams import SPEAKERS
from .test_anthropic_answers import AN_ANSWER

read = SPEAKERS["anthropic"].read


async def test_a_stream_is_asked_for_in_the_body() -> None:
    transport = ReplayTransport([event_stream(written(AN_ANSWER))])
    client = Flashlite("anthropic/m", api_key="a-test-key", transport=transport)
    events = [event.type async for event in client.stream("Hi")]
    assert events == ["usage", "token", "usage", "done"]
    assert transport.requests[0].json == {
        "model": "m",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


USAGE = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3}


def written(message: dict[str, Any], size: int = 3) -> Iterator[dict[str, Any]]:
    """Yield the events in which Anthropic would write a message, texts in pieces of this size."""
    start = {**message, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty = block | {name: "" for name in ("text", "thinking", "signature") if name in block}
        empty |= {name: {} for name in ("input",) if name in block}
        empty = {name: value for name, value in empty.items() if name != "citations"}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas(block, size):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    said = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": said, "usage": {"output_tokens": 3}}
    yield {"type": "message_stop"}


def deltas(block: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    for citation in block.get("citations", ()):
        yield {"type": "citations_delta", "citation": citation}
    grown = {"text": block.get("text"), "thinking": block.get("thinking")}
    if block.get("input"):
        grown["partial_json"] = json.dumps(block["input"])
    kinds = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}
    for name, text in grown.items():
        for start in range(0, len(text or ""), size):
            yield {"type": kinds[name], name: (text or "")[start : start + size]}
    if "signature" in block:
        yield {"type": "signature_delta", "signature": block["signature"]}


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("case", load("anthropic_turns"))
async def test_an_answer_is_the_same_in_pieces_and_goes_back_as_it_came(
    case: dict[str, Any], size: int
) -> None:
    answer = {**AN_ANSWER, "content": case["content"], "stop_reason": case["stop_reason"]}
    replies = [event_stream(written(answer, size)), Reply.of(AN_ANSWER)]
    transport = ReplayTransport(replies)
    client = Flashlite("anthropic/m", api_key="a-test-key", transport=transport)
    events = [event async for event in client.stream("Hi")]
    whole = events[-1].data
    assert without_spaces(whole.message) == without_spaces(case["message"])
    await client.complete([Message.user("Hi"), whole.message, *case["then"]])
    assert transport.requests[1].json["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": case.get("back", case["content"])},
        *case["after"],
    ]


def without_spaces(message: dict[str, Any]) -> dict[str, Any]:
    """Read the arguments of calls: in pieces they come with the spaces that the model wrote."""
    calls = [
        {**call, "function": {"name": function["name"], "arguments": json.loads(arguments)}}
        for call in message.get("tool_calls", ())
        for function in [call["function"]]
        for arguments in [function["arguments"]]
    ]
    return {**message, "tool_calls": calls}


BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
    {"type": "text", "text": "Hello", "citations": [{"type": "x", "url": "u"}]},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"x": 1}},
    {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
]
CHUNKS = [
    {
        "type": "message_start",
        "message": {"id": "msg_1", "model": "m", "usage": {**USAGE, "cache_creation": {}}},
    },
    *(
        event
        for index, block in enumerate(BLOCKS)
        for event in (
            {"type": "content_block_start", "index": index, "content_block": block},
            *(
                {"type": "content_block_delta", "index": index, "delta": delta}
                for delta in deltas(block, 4)
            ),
            {"type": "content_block_stop", "index": index},
        )
    ),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_details": {"explanation": "No."}},
        "usage": {"output_tokens": 3, "output_tokens_details": {"thinking_tokens": 1}},
    },
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
]


@settings(deadline=None)
@given(spoiled(CHUNKS).filter(lambda chunks: isinstance(chunks, list)), st.booleans())
async def test_any_json_in_any_place_of_a_stream_is_an_answer_or_a_typed_error(
    chunks: Any, ends_well: bool
) -> None:
    said = chunks[:-1] if ends_well else chunks
    events, error = await read(
        event_stream(f"data: {json.dumps(chunk)}" for chunk in said), model="claude-sonnet-4-5"
    )
    if error is None:
        check_answer(events[-1].data)
