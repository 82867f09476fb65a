"""Mistral and Databricks: thinking among the parts of the content, there and back."""

from __future__ import annotations

from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import Message

from .cases import event_stream, plain

HI = {"role": "user", "content": "Hi"}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
TEXT = {"type": "text", "text": "Hello"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SUMMARY = {"type": "summary_text", "text": "Hm.", "signature": "sig"}
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}


@pytest.fixture(autouse=True)
def workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "dbc-1.example.com")


def answer(content: Any, finish_reason: str = "stop") -> Reply:
    message = {"role": "assistant", "content": content}
    return Reply.of({"choices": [{"message": message, "finish_reason": finish_reason}]})


def client(name: str, *replies: Reply) -> tuple[Flashlite, ReplayTransport]:
    transport = ReplayTransport(list(replies))
    return Flashlite(f"{name}/m", api_key="a-test-key", transport=transport), transport


async def sent(name: str, *messages: Any, **options: Any) -> Any:
    engine, transport = client(name, answer("ok"))
    await engine.complete(list(messages), **options)
    return transport.requests[0].json


async def test_what_mistral_thinks_is_reasoning_and_goes_back() -> None:
    engine, transport = client("mistral", answer([THOUGHT, TEXT]), answer("ok"))
    message = (await engine.complete("Hi")).message
    assert message == Message.assistant("Hello", reasoning_content="Hm.")
    await engine.complete([HI, message, HI])
    assert transport.requests[1].json["messages"] == [
        HI,
        {"role": "assistant", "content": [THOUGHT, TEXT]},
        HI,
    ]


async def test_what_other_apis_answered_goes_to_mistral_in_the_fields_that_it_has() -> None:
    trace = {"type": "web_search_call", "id": "ws_1"}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    refused = Message.assistant(refusal="No.")
    spoken = Message.assistant([trace, TEXT, picture], audio={"id": "audio_1"})
    body = await sent("mistral", HI, refused, HI, spoken, HI)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert body["messages"][1] == {"role": "assistant", "content": "No."}
    assert body["messages"][3] == {"role": "assistant", "content": [TEXT]}


async def test_what_databricks_thinks_goes_back_with_its_signature() -> None:
    content = [{"type": "reasoning", "summary": [SUMMARY]}, TEXT]
    engine, transport = client("databricks", answer(content), answer("ok"))
    message = (await engine.complete("Hi")).message
    assert message == Message.assistant("Hello", reasoning_content="Hm.", thinking_blocks=[SIGNED])
    await engine.complete([HI, message, HI])
    back = {"role": "assistant", "content": content}
    assert transport.requests[1].json["messages"] == [HI, back, HI]


def chunk(content: Any, finish_reason: str | None = None) -> Any:
    return {"choices": [{"delta": {"content": content}, "finish_reason": finish_reason}]}


def reasoning(text: str, **signature: str) -> Any:
    return [{"type": "reasoning", "summary": [{"type": "summary_text", "text": text, **signature}]}]


async def test_thinking_streams_as_reasoning() -> None:
    pieces = [{**THOUGHT, "thinking": [{"type": "text", "text": text}]} for text in ("H", "m.")]
    chunks = [*(chunk([piece]) for piece in pieces), chunk([TEXT]), chunk("!", "stop")]
    engine, _ = client("mistral", event_stream(chunks))
    events = [event async for event in engine.stream("Hi")]
    assert [plain(event) for event in events] == [
        ["reasoning", "H", 0],
        ["reasoning", "m.", 0],
        ["token", "Hello", 0],
        ["token", "!", 0],
        ["done"],
    ]
    assert events[-1].data.message == Message.assistant("Hello!", reasoning_content="Hm.")


async def test_the_signature_of_streamed_thinking_comes_last() -> None:
    chunks = [
        chunk(reasoning("H", signature="")),
        chunk(reasoning("m.", signature="")),
        chunk(reasoning("", signature="sig")),
        chunk("Hello", "stop"),
    ]
    engine, _ = client("databricks", event_stream(chunks))
    events = [event async for event in engine.stream("Hi")]
    assert events[-1].data.message == Message.assistant(
        "Hello", reasoning_content="Hm.", thinking_blocks=[SIGNED]
    )


async def test_a_part_that_is_no_text_stays_a_part_of_a_streamed_answer() -> None:
    reference = {"type": "reference", "reference_ids": [1]}
    engine, _ = client("mistral", event_stream([chunk([TEXT, reference]), chunk("", "stop")]))
    events = [event async for event in engine.stream("Hi")]
    assert events[-1].data.message == Message.assistant([TEXT, reference])


async def test_mistral_gets_only_fields_that_it_knows() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    body = await sent(
        "mistral",
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "Hi", "name": "ann"},
        seed=7,
        max_completion_tokens=9,
        tools=[tool],
        tool_choice="required",
    )
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be short."}, HI],
        "random_seed": 7,
        "max_tokens": 9,
        "tools": [tool],
        "tool_choice": "any",
    }


async def test_a_stream_of_mistrals_tells_its_usage_unasked() -> None:
    engine, transport = client("mistral", event_stream([chunk("Hello", "stop")]))
    assert [event.type async for event in engine.stream("Hi")] == ["token", "done"]
    assert transport.requests[0].json == {"model": "m", "messages": [HI], "stream": True}


async def test_calls_of_another_provider_get_ids_that_mistral_takes() -> None:
    theirs = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    ours = {"role": "assistant", "content": "", "tool_calls": [{**CALL, "id": "aB3dE6gH9"}]}
    body = await sent(
        "mistral",
        HI,
        theirs,
        {"role": "tool", "tool_call_id": "call_1", "name": "f", "content": "20"},
        ours,
        {"role": "tool", "tool_call_id": "aB3dE6gH9", "content": "21"},
    )
    _, first, first_result, second, second_result = body["messages"]
    id = first["tool_calls"][0]["id"]
    assert len(id) == 9
    assert id.isalnum()
    assert first_result == {"role": "tool", "tool_call_id": id, "name": "f", "content": "20"}
    assert (second["tool_calls"], second_result["tool_call_id"]) == (
        ours["tool_calls"],
        "aB3dE6gH9",
    )


async def test_thinking_that_nobody_signed_does_not_go_to_databricks() -> None:
    body = await sent(
        "databricks",
        {
            "role": "assistant",
            "content": "Hello",
            "reasoning_content": "Hm.",
            "thinking_blocks": [{"type": "thinking", "thinking": "Hm."}],
        },
        HI,
    )
    assert body["messages"] == [{"role": "assistant", "content": "Hello"}, HI]
