"""What type checkers must see of the public names. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import assert_type

from flashlite import (
    CompletionResponse,
    CompletionResult,
    Flashlite,
    Message,
    RateLimitError,
    StreamEvent,
    ToolCall,
    Usage,
)


async def completing(client: Flashlite) -> None:
    response = await client.complete("Hi", model="openai/gpt-4o", temperature=0, sample=1)
    assert_type(response, CompletionResponse)
    assert_type(response, CompletionResult)
    assert_type(response.content, str)
    assert_type(response.tool_calls, list[ToolCall] | None)
    assert_type(response.usage, Usage | None)
    assert_type(response.cost, float | None)
    assert_type(client.complete_sync("Hi"), CompletionResponse)


async def completing_many(client: Flashlite) -> None:
    assert_type(await client.complete_many(["a", "b"]), list[CompletionResponse])
    assert_type(
        await client.complete_many(["a"], return_exceptions=True),
        list[CompletionResponse | BaseException],
    )


async def streaming(client: Flashlite) -> None:
    async for event in client.stream([Message.user("Hi")]):
        assert_type(event, StreamEvent)


def failing(error: RateLimitError) -> None:
    assert_type(error.retry_after, float | None)
    assert_type(error.status_code, int | None)
