"""What the seeds 000, 001 and 002 show of agents, line by line; only the models are scripted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    Agent,
    AgentConfig,
    AgentResult,
    CompletionResponse,
    Flashlite,
    StreamEventType,
    ToolCall,
    ToolRegistry,
    TurnResult,
    Usage,
    quick_agent,
    tool,
)
from flashlite.conversation import Conversation
from flashlite.testing import ScriptedProvider


@tool
async def get_weather(city: str) -> str:
    """Get weather for a city."""
    return f"Weather in {city}: Sunny, 72°F"


@tool
async def search_web(query: str) -> str:
    """Search the web for information."""
    return f"Results for: {query}"


def scripted(*answers: Any) -> Flashlite:
    """Stand in for `OpenAIProvider(model="gpt-5")`."""
    return Flashlite("gpt-5", provider=ScriptedProvider(answers))


def calling(name: str, **arguments: Any) -> CompletionResponse:
    return CompletionResponse.of(
        tool_calls=[ToolCall("1", name, arguments)],
        finish_reason="tool_calls",
        usage=Usage(input_tokens=3, output_tokens=2),
    )


def says(text: str) -> CompletionResponse:
    return CompletionResponse.of(text, usage=Usage(input_tokens=5, output_tokens=1))


# 001, 002: Agent with Tools
async def test_agent_with_tools(capsys: pytest.CaptureFixture[str]) -> None:
    agent = Agent(
        provider=scripted(calling("get_weather", city="Tokyo"), says("Sunny.")),
        tools=[get_weather, search_web],
        system_message="You are a helpful assistant with access to tools.",
    )

    result = await agent.run("What's the weather in Tokyo?")
    print(result.content)  # noqa: T201
    print(f"Tool calls: {[tc.name for tc in result.all_tool_calls]}")  # noqa: T201

    assert capsys.readouterr().out == "Sunny.\nTool calls: ['get_weather']\n"


# 002: Creating Agents
def test_creating_agents() -> None:
    agent = Agent(
        # Required
        provider=scripted(),
        # Optional
        tools=[get_weather, search_web],  # List[Tool] or ToolRegistry
        system_message="You are helpful.",  # System prompt
        conversation=None,  # Existing Conversation to continue
        config=None,  # AgentConfig for advanced options
        # Shortcuts (override config)
        max_turns=10,  # Maximum reasoning turns
        max_tokens=None,  # Context window limit
    )
    assert agent.config == AgentConfig()
    registry = ToolRegistry([get_weather])
    assert Agent(provider=scripted(), tools=registry).tools is registry
    conversation = Conversation()
    assert Agent(provider=scripted(), conversation=conversation).conversation is conversation
    assert Agent(config=AgentConfig(max_turns=3), max_turns=5).config == AgentConfig(max_turns=5)


# 002: Agent Configuration
def test_agent_configuration() -> None:
    config = AgentConfig(
        # Turn limits
        max_turns=10,  # Max reasoning turns before stopping
        max_tool_calls_per_turn=10,  # Max tools per turn
        # Tool execution
        parallel_tool_execution=True,  # Execute tools in parallel
        tool_timeout=30.0,  # Timeout per tool (seconds)
        # Context management
        max_tokens=None,  # Max context tokens
        reserve_tokens=2000,  # Reserve for response
        # Behavior
        stop_on_tool_error=False,  # Stop on tool failure
        include_tool_errors_in_context=True,  # Include errors in conversation
        stream_tool_calls=True,  # Stream tool call events
    )
    assert config == AgentConfig()


# 002: Running Agents
async def test_running_agents() -> None:
    agent = Agent(
        provider=scripted(
            calling("search_web", query="quantum"), says("Done."), says("Hi!"), says("More.")
        ),
        tools=[search_web],
        system_message="You are helpful.",
    )

    # Run to completion
    result = await agent.run(
        prompt="Research quantum computing",
        max_turns=5,  # Override config for this run
    )

    # Result properties
    assert isinstance(result, AgentResult)
    assert result.content == "Done."
    assert [type(turn) for turn in result.turns] == [TurnResult, TurnResult]
    assert result.num_turns == 2
    assert result.all_tool_calls == [ToolCall("1", "search_web", {"query": "quantum"})]
    assert result.conversation is agent.conversation
    assert result.total_usage == Usage(input_tokens=8, output_tokens=3)
    assert result.status == "success"
    assert result.error is None

    # Simple chat interface
    response = await agent.chat("Hello!")  # Returns just the text
    assert response == "Hi!"

    # Continue conversation
    result2 = await agent.run("Tell me more")
    assert result2.content == "More."

    # Fork agent (copy with new conversation)
    forked_agent = agent.fork()
    assert forked_agent.conversation.messages == agent.conversation.messages

    # Reset conversation (keeps system message)
    agent.reset()
    assert [message["role"] for message in agent.conversation.messages] == ["system"]
    assert len(forked_agent.conversation) == 9


# 002: Streaming Agents
async def test_streaming_agents(capsys: pytest.CaptureFixture[str]) -> None:
    agent = Agent(
        provider=scripted(calling("search_web", query="Python"), says("Here.")), tools=[search_web]
    )

    async for event in agent.stream("Search for Python tutorials"):
        match event.type:
            case StreamEventType.META:
                if event.data.get("event") == "turn_start":
                    print(f"\n--- Turn {event.data['turn']} ---")  # noqa: T201
                elif event.data.get("event") == "tool_result":
                    print(f"\n[Tool: {event.data['tool_name']}]")  # noqa: T201
                    print(f"Result: {event.data['content'][:100]}...")  # noqa: T201

            case StreamEventType.TOKEN:
                print(event.data, end="", flush=True)  # noqa: T201

            case StreamEventType.TOOL_CALL_START:
                print(f"\n> Calling {event.data.name}...")  # noqa: T201

            case StreamEventType.DONE:
                agent_result = event.data
                print(f"\n\nStatus: {agent_result.status}")  # noqa: T201
                print(f"Turns: {agent_result.num_turns}")  # noqa: T201

    assert [line for line in capsys.readouterr().out.splitlines() if line] == [
        "--- Turn 1 ---",
        "> Calling search_web...",
        "[Tool: search_web]",
        "Result: Results for: Python...",
        "--- Turn 2 ---",
        "Here.",
        "Status: success",
        "Turns: 2",
    ]


# 002: Session Persistence
async def test_session_persistence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    agent = Agent(provider=scripted(says("Hi!")), tools=[search_web])
    await agent.run("Hello")

    # Save session (conversation + config + tool names)
    agent.save_session("session.json")

    # Load session
    loaded_agent = Agent.load_session(
        "session.json",
        provider=scripted(says("Gladly.")),
        tools=[search_web],  # Must provide tools again
    )

    # Continue where you left off
    result = await loaded_agent.run("Continue our conversation")
    assert result.content == "Gladly."
    assert len(loaded_agent.conversation) == 4


# 002: quick_agent, "One-shot agent function"
async def test_quick_agent() -> None:
    provider = scripted(calling("get_weather", city="Oslo"), says("Cold."))
    result = await quick_agent("Weather in Oslo?", provider=provider, tools=[get_weather])
    assert result.content == "Cold."


# 000: Multi-Agent Conversations
def test_agents_with_personas() -> None:
    optimist = Agent(
        name="Optimist",
        system_prompt="You see the positive side. Be concise (1-2 sentences).",
    )
    expert = Agent(
        name="GPT-4 Expert",
        system_prompt="You provide expert analysis.",
        model="gpt-4o",  # Uses GPT-4 for this agent
    )
    assert (optimist.name, optimist.model) == ("Optimist", None)
    assert optimist.system_prompt == "You see the positive side. Be concise (1-2 sentences)."
    assert (expert.name, expert.model) == ("GPT-4 Expert", "gpt-4o")
