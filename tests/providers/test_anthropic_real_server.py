"""Anthropic's dialect against a server that we did not write: llama.cpp's /v1/messages."""

from __future__ import annotations

from typing import Any

import pytest

from flashlite import (
    ContextWindowExceededError,
    Flashlite,
    Message,
    RetryConfig,
    StreamEventType,
)

from ..real_server import real_server

__all__ = ["real_server"]

WEATHER = {
    "name": "weather",
    "description": "Look the weather up.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
    },
}


@pytest.fixture
def client(real_server: str) -> Flashlite:
    return Flashlite(
        "anthropic/tiny",
        base_url=real_server,
        max_tokens=24,
        temperature=0,
        retry=RetryConfig(initial_delay=0),  # it closes kept connections whenever it likes
    )


async def test_a_completion_has_text_usage_and_a_reason(client: Flashlite) -> None:
    response = await client.complete([Message.system("Be brief."), Message.user("Hello!")])
    assert response.content
    assert response.finish_reason in ("stop", "length")
    assert response.usage is not None
    assert 0 < response.usage.output_tokens <= 24
    assert response.usage.input_tokens > 5
    assert (response.cost, response.provider, response.model) == (None, "anthropic", "tiny")


async def test_a_stream_says_what_the_completion_says(client: Flashlite) -> None:
    whole = await client.complete("Hello!")
    events = [event async for event in client.stream("Hello!")]
    text = "".join(event.data for event in events if event.type is StreamEventType.TOKEN)
    done = events[-1].data
    assert (text, done.content, done.finish_reason) == (
        whole.content,
        whole.content,
        whole.finish_reason,
    )
    assert whole.usage is not None
    assert (done.usage.input_tokens, done.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_and_its_result_is_read(client: Flashlite, stream: bool) -> None:
    options: dict[str, Any] = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 200}
    if stream:
        response = [event async for event in client.stream("Weather?", **options)][-1].data
    else:
        response = await client.complete("Weather?", **options)
    assert response.finish_reason == "tool_calls"
    assert all((call.name, call.parse_error) == ("weather", None) for call in response.tool_calls)
    assert all(set(call.arguments) == {"city"} for call in response.tool_calls)
    results = [Message.tool_result(call.id, "Sunny.") for call in response.tool_calls]
    history = [Message.user("Weather?"), response.message, *results]
    assert (await client.complete(history, tools=[WEATHER])).finish_reason in ("stop", "length")


async def test_a_prompt_that_is_too_long_is_named_so(client: Flashlite) -> None:
    with pytest.raises(ContextWindowExceededError) as caught:
        await client.complete("word " * 40_000)
    assert caught.value.status_code == 400
