"""Whole runs of an agent with tools: against llama.cpp's server and the mock, streaming and not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from flashlite import Agent, AgentResult, Flashlite, Role, StreamEvent, StreamEventType, tool
from flashlite.middleware import RetryConfig
from flashlite.testing import MockServer

from .real_server import real_server

__all__ = ["real_server"]

T = StreamEventType
looked_up: list[str] = []


@tool
def weather(city: Annotated[str, Field(max_length=20)]) -> str:
    """Look the weather up."""
    looked_up.append(city)
    return f"It is sunny in {city}."


@pytest.fixture(params=["llama.cpp", "mock"])
async def agent(request: pytest.FixtureRequest, mock_server: MockServer) -> AsyncIterator[Agent]:
    if request.param == "mock":
        model, url = "openai/tools", mock_server.base_url
    else:
        model, url = "openai/tiny", request.getfixturevalue("real_server")
    looked_up.clear()
    retry = RetryConfig(initial_delay=0)  # llama.cpp closes kept connections whenever it likes
    options: dict[str, Any] = {"temperature": 0, "max_tokens": 200}
    async with Flashlite(model, base_url=url, retry=retry, **options) as client:
        prompt = "You know the weather."
        yield Agent(
            "Ann", system_prompt=prompt, client=client, tools=[weather], parallel_tool_calls=False
        )


async def streamed(agent: Agent, prompt: str, **options: Any) -> list[StreamEvent]:
    return [event async for event in agent.stream(prompt, **options)]


def check_run(result: AgentResult, before: int) -> None:
    """Check that a run was a call, its result and an answer, and that the memory has them."""
    called, answered = result.turns
    assert (result.status, result.error, result.num_turns) == ("success", None, 2)
    calls = result.all_tool_calls
    assert calls
    assert called.response.finish_reason == "tool_calls"
    assert answered.response.finish_reason in ("stop", "length")
    assert result.content == answered.content != ""
    assert [one.success for one in called.tool_results] == [True] * len(calls)
    assert looked_up[-len(calls) :] == [call.arguments["city"] for call in calls]

    messages = result.conversation.messages[before:]
    assert [message.role for message in messages] == [
        Role.USER,
        Role.ASSISTANT,
        *[Role.TOOL] * len(calls),
        Role.ASSISTANT,
    ]
    assert messages[1].tool_calls == calls
    assert [(m["tool_call_id"], m.text) for m in messages[2:-1]] == [
        (call.id, f"It is sunny in {call.arguments['city']}.") for call in calls
    ]
    assert messages[-1].text == result.content
    used = [turn.usage for turn in result.turns]
    assert all(usage and usage.input_tokens > 0 and usage.output_tokens > 0 for usage in used)
    assert result.total_usage == used[0] + used[1]  # type: ignore[operator]


async def test_an_agent_calls_a_tool_answers_and_goes_on(agent: Agent, tmp_path: Path) -> None:
    first = await agent.run("What is the weather?", tool_choice="required")
    check_run(first, before=1)
    known = len(agent.conversation)
    agent.save_session(tmp_path / "session.json")

    agent = Agent.load_session(tmp_path / "session.json", client=agent.client, tools=[weather])
    second = await agent.run("And tomorrow?", tool_choice="required")

    check_run(second, before=known)
    assert agent.conversation.messages[:known] == first.conversation.messages


async def test_a_streamed_run_says_all_that_the_run_itself_says(agent: Agent) -> None:
    whole = await agent.fork().run("What is the weather?", tool_choice="required")
    events = await streamed(agent, "What is the weather?", tool_choice="required")

    result = events[-1].data
    check_run(result, before=1)
    assert result.content == whole.content
    assert [call.arguments for call in result.all_tool_calls] == [
        call.arguments for call in whole.all_tool_calls
    ]
    assert whole.total_usage is not None
    assert result.total_usage.output_tokens == whole.total_usage.output_tokens

    starts = [n for n, e in enumerate(events) if e.type is T.META and e.data.get("turn")]
    assert [events[n].data for n in starts] == [
        {"event": "turn_start", "turn": 1},
        {"event": "turn_start", "turn": 2},
    ]
    for (start, end), turn in zip(pairwise([*starts, len(events)]), result.turns, strict=True):
        part = events[start:end]
        assert "".join(e.data for e in part if e.type is T.TOKEN) == turn.content
        assert [e.data for e in part if e.type is T.TOOL_CALL_END] == turn.tool_calls
        told = [e.data["content"] for e in part[1:] if e.type is T.META]
        assert told == [one.to_string() for one in turn.tool_results]
        assert [e.data for e in part if e.type is T.USAGE][-1] == turn.usage


async def test_a_stream_that_is_left_leaves_an_agent_that_can_go_on(agent: Agent) -> None:
    events = agent.stream("What is the weather?", tool_choice="required")
    async for event in events:
        if event.type is T.META and event.data["event"] == "tool_result":
            break
    await events.aclose()

    result = await agent.run()

    assert (result.status, result.num_turns) == ("success", 1)
    assert result.content
    assert agent.conversation.messages[-1].text == result.content
