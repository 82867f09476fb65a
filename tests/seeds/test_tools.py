"""What the seeds 000, 001 and 002 show of tools, line by line; only the models are scripted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field

from flashlite import (
    CompletionResponse,
    Flashlite,
    Tool,
    ToolRegistry,
    run_tool_loop,
    sync_tool,
    tool,
    tool_from_function,
    tool_from_pydantic,
)
from flashlite.testing import ScriptedProvider
from flashlite.tools import ToolCall, ToolResult


# 000: Tool/Function Calling
@tool()
def get_weather(location: str, unit: str = "celsius") -> str:
    """Get the current weather for a location."""
    # Real implementation would call a weather API
    return f"Weather in {location}: 22°{unit[0].upper()}, partly cloudy"


@tool()
def search_web(query: str, max_results: int = 5) -> list[str]:
    """Search the web for information."""
    return [f"Result {i}: Information about {query}" for i in range(max_results)]


def scripted(*answers: Any) -> tuple[Flashlite, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    return Flashlite(default_model="gpt-4o", provider=provider), provider


def calling(*calls: ToolCall) -> CompletionResponse:
    return CompletionResponse.of(tool_calls=list(calls), finish_reason="tool_calls")


async def test_simple_tool_usage() -> None:
    client, provider = scripted(calling(ToolCall("1", "get_weather", {"location": "Paris"})))

    response = await client.complete(
        messages="What's the weather like in Paris?",
        tools=[get_weather, search_web],
    )

    assert response.tool_calls is not None
    assert get_weather(**response.tool_calls[0].arguments) == (
        "Weather in Paris: 22°C, partly cloudy"
    )
    sent = [one["function"] for one in provider.requests[0].tools]
    assert [function["name"] for function in sent] == ["get_weather", "search_web"]
    assert sent[0]["description"] == "Get the current weather for a location."


async def test_tool_execution_loop() -> None:
    client, provider = scripted(
        calling(
            ToolCall("1", "get_weather", {"location": "NYC"}),
            ToolCall("2", "get_weather", {"location": "Tokyo", "unit": "fahrenheit"}),
        ),
        "The same in both.",
    )

    result = await run_tool_loop(
        client=client,
        messages=[{"role": "user", "content": "What's the weather in NYC and Tokyo?"}],
        tools=[get_weather, search_web],
        max_iterations=5,  # Maximum tool call rounds
    )

    assert result.content == "The same in both."
    assert len(result.tool_calls_made) == 2
    read = [m.content for m in provider.requests[1].messages if m["role"] == "tool"]
    assert read == [
        "Weather in NYC: 22°C, partly cloudy",
        "Weather in Tokyo: 22°F, partly cloudy",
    ]


class SearchParams(BaseModel):
    """Search for information."""

    query: str = Field(description="The search query")
    max_results: int = Field(default=10, ge=1, le=100)
    include_images: bool = Field(default=False)


async def do_search(query: str, max_results: int, include_images: bool) -> dict[str, Any]:
    # Implementation
    return {"results": [query] * max_results, "images": [] if include_images else None}


async def test_pydantic_based_tool_definition() -> None:
    search_tool = tool_from_pydantic(SearchParams, do_search)

    assert (search_tool.name, search_tool.description) == ("do_search", "Search for information.")
    assert search_tool.parameters["required"] == ["query"]
    result = await search_tool.execute(query="x", max_results=2)
    assert result.to_string() == '{"results":["x","x"],"images":null}'


async def test_tool_call_callbacks(capsys: pytest.CaptureFixture[str]) -> None:
    def on_tool_call(tc: ToolCall) -> None:
        print(f"Calling tool: {tc.name} with args: {tc.arguments}")  # noqa: T201

    def on_tool_result(tr: ToolResult) -> None:
        if tr.error:
            print(f"Tool {tr.name} failed: {tr.error}")  # noqa: T201
        else:
            print(f"Tool {tr.name} returned: {tr.result}")  # noqa: T201

    client, _ = scripted(
        calling(ToolCall("1", "search_web", {"query": "Python", "max_results": 1})),
        calling(ToolCall("2", "find", {})),
        "done",
    )
    await run_tool_loop(
        client=client,
        messages=[{"role": "user", "content": "Search for Python tutorials"}],
        tools=[search_web],
        on_tool_call=on_tool_call,
        on_tool_result=on_tool_result,
    )

    assert capsys.readouterr().out.splitlines() == [
        "Calling tool: search_web with args: {'query': 'Python', 'max_results': 1}",
        "Tool search_web returned: ['Result 0: Information about Python']",
        "Calling tool: find with args: {}",
        "Tool find failed: there is no tool named 'find'; there are: search_web",
    ]


# 001: Tools
@tool
async def calculate(expression: str) -> str:
    """Evaluate a math expression.

    Args:
        expression: Math expression like "2 + 2"
    """
    return str(eval(expression))


@sync_tool  # For synchronous functions
def get_time() -> str:
    """Get current time."""
    return datetime.now().isoformat()


async def test_define_register_and_execute() -> None:
    registry = ToolRegistry([calculate, get_time])

    result = await registry.execute("calculate", '{"expression": "2 + 2"}')
    assert result.content == "4"
    assert datetime.fromisoformat((await registry.execute("get_time")).content)
    assert calculate.parameters["properties"]["expression"] == {
        "type": "string",
        "description": 'Math expression like "2 + 2"',
    }


# 002: Tool Decorator
class Database:
    async def search(self, query: str, limit: int) -> Iterator[str]:
        return iter([query] * limit)


db = Database()


@tool
async def search_database(
    query: str,
    limit: int = 10,
    include_metadata: bool = False,
) -> str:
    """Search the database for matching records.

    Args:
        query: Search query string
        limit: Maximum results to return
        include_metadata: Whether to include metadata in results

    Returns:
        JSON string of matching records
    """
    # Implementation
    results = await db.search(query, limit=limit)
    return json.dumps(list(results))


@sync_tool
def get_current_time(tz: str = "UTC") -> str:
    """Get the current time in a timezone.

    Args:
        tz: IANA timezone name (e.g., "America/New_York")
    """
    return datetime.now(UTC).isoformat() + tz


def test_generated_schema() -> None:
    expected = """{
      "name": "search_database",
      "description": "Search the database for matching records.",
      "parameters": {
        "type": "object",
        "properties": {
          "query": {
            "type": "string",
            "description": "Search query string"
          },
          "limit": {
            "type": "integer",
            "description": "Maximum results to return",
            "default": 10
          },
          "include_metadata": {
            "type": "boolean",
            "description": "Whether to include metadata in results",
            "default": false
          }
        },
        "required": ["query"]
      }
    }"""
    assert search_database.to_openai()["function"] == json.loads(expected)
    described = get_current_time.parameters["properties"]["tz"]["description"]
    assert described == 'IANA timezone name (e.g., "America/New_York")'


async def test_tool_registry() -> None:
    # Create registry with tools
    registry = ToolRegistry([calculate, get_time])

    # Or add tools individually
    registry = ToolRegistry()
    registry.register(calculate)
    registry.register(search_database)

    # Access tools
    assert registry.tools == [calculate, search_database]
    assert registry.names == ["calculate", "search_database"]
    assert registry.get("search_database") is search_database

    # Execute a tool
    result = await registry.execute(
        name="search_database",
        arguments='{"query": "python", "limit": 2}',  # JSON string
    )

    # Result properties
    assert result.content == '["python", "python"]'
    assert result.success
    assert result.error is None
    assert result.to_string() == '["python", "python"]'

    # Remove a tool
    registry.unregister("calculate")
    assert registry.names == ["search_database"]


async def test_manual_tool_definition() -> None:
    async def my_async_function(expression: str) -> Any:
        return eval(expression)

    tool = Tool(
        name="calculate",
        description="Evaluate a mathematical expression",
        parameters={
            "type": "object",
            "properties": {
                "expression": {
                    "type": "string",
                    "description": "Math expression to evaluate",
                }
            },
            "required": ["expression"],
        },
        handler=my_async_function,  # async callable
    )
    assert tool.handler is my_async_function
    assert (await tool.execute(expression="6 * 7")).content == 42


async def test_tools_from_functions() -> None:
    # Async function
    async def fetch_data(url: str) -> str:
        """Fetch data from a URL."""
        return f"data of {url}"

    # Sync function (automatically wrapped to run in executor)
    def calculate(x: float, y: float) -> float:
        """Calculate x + y."""
        return x + y

    fetch_tool = tool_from_function(fetch_data)
    calc_tool = tool_from_function(calculate)

    assert (await fetch_tool.execute(url="http://x")).content == "data of http://x"
    assert (await calc_tool.execute(x=1, y=2.5)).content == 3.5
