"""What type checkers must see of the public names. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

from pydantic import BaseModel

from flashlite import (
    GPT5,
    CompletionResponse,
    CompletionResult,
    ContextManager,
    Conversation,
    ConversationState,
    EmbeddingResult,
    Flashlite,
    Message,
    ModelProfile,
    RateLimitError,
    StreamEvent,
    Tool,
    ToolCall,
    ToolLoopResult,
    ToolResult,
    Usage,
    run_tool_loop,
    tool,
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
    assert_type(await client.complete_many(["a", "b"]), list[Any])
    async for number, outcome in client.as_completed(["a"]):
        assert_type(number, int)
        assert_type(outcome, CompletionResponse | Exception)


class Sentiment(BaseModel):
    label: str


async def completing_in_a_shape(client: Flashlite) -> None:
    assert_type(await client.complete("Hi", response_model=Sentiment), Sentiment)
    assert_type(client.complete_sync("Hi", response_model=Sentiment), Sentiment)
    assert_type(await client.ask("Hi", response_model=Sentiment), CompletionResponse)


async def streaming(client: Flashlite) -> None:
    async for event in client.stream([Message.user("Hi")]):
        assert_type(event, StreamEvent)


def failing(error: RateLimitError) -> None:
    assert_type(error.retry_after, float | None)
    assert_type(error.status_code, int | None)


async def embedding(client: Flashlite) -> None:
    result = await client.embed(["a", "b"], model="m", dimensions=8, encoding_format="base64")
    assert_type(result, EmbeddingResult)
    assert_type(result.embedding, list[float])
    assert_type(client.embed_sync("a").usage, Usage | None)
    assert_type(GPT5, ModelProfile)


@tool
async def find(query: str, most: int = 5) -> list[str]:
    return [query] * most


@tool(name="double", timeout=5)
def twice(number: int) -> int:
    return number * 2


class Shelf:
    @tool
    def take(self, title: str) -> str:
        return title


async def using_tools(client: Flashlite, shelf: Shelf) -> None:
    assert_type(await find("x", most=2), list[str])
    assert_type(twice(number=1), int)
    assert_type(shelf.take, Tool[..., str])
    assert_type(await find.execute(query="x"), ToolResult)
    assert_type(await client.complete("Hi", tools=[find, twice]), CompletionResponse)
    assert_type(await run_tool_loop(client, "Hi", [find, twice, len]), ToolLoopResult)


async def conversing(client: Flashlite) -> None:
    conversation = Conversation("Be brief.", client=client, max_tokens=8000, temperature=0)
    assert_type(await conversation.say("Hi"), CompletionResponse)
    assert_type(await conversation.say("Hi", response_model=Sentiment), Sentiment)
    assert_type(await conversation.ask("Hi", response_model=Sentiment), CompletionResponse)
    async for event in conversation.stream("Hi"):
        assert_type(event, StreamEvent)
    assert_type(conversation.fork(), Conversation)
    assert_type(conversation.get_messages(GPT5), list[Message])
    assert_type(conversation.save(), ConversationState)
    assert_type(ContextManager("gpt-4").prepare(["Hi"]), list[Message])
