"""Sessions: what was saved comes back, and nothing is taken for what it is not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    Agent,
    AgentConfig,
    CompletionResponse,
    ConfigError,
    Flashlite,
    Message,
    StoreError,
    StreamEventType,
    ToolCall,
    tool,
)
from flashlite.testing import ScriptedProvider


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def sub(a: int, b: int) -> int:
    """Subtract two numbers."""
    return a - b


def scripted(*answers: Any) -> tuple[Flashlite, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    return Flashlite("m", provider=provider), provider


async def saved(path: Path, **options: Any) -> Agent:
    call = ToolCall("1", "add", {"a": 1, "b": 2})
    asked = CompletionResponse.of(tool_calls=[call], reasoning="Hm", finish_reason="tool_calls")
    agent = Agent(
        "Ann",
        client=scripted(asked, "3")[0],
        tools=[add],
        system_prompt="Be brief.",
        config=AgentConfig(max_turns=3, max_tokens=9000),
        temperature=0,
        **options,
    )
    await agent.run("How much?")
    agent.save_session(path)
    return agent


async def test_an_agent_goes_on_another_day(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    agent = await saved(path)
    client, provider = scripted("Yes")
    loaded = Agent.load_session(path, provider=client, tools=[add, sub])
    assert loaded.conversation.messages == agent.conversation.messages
    assert (loaded.name, loaded.config, loaded.options) == ("Ann", agent.config, agent.options)
    assert loaded.conversation.config == agent.conversation.config
    assert loaded.tools.names == ["add", "sub"]
    assert await loaded.chat("Sure?") == "Yes"
    [request] = provider.requests
    assert list(request.messages) == [*agent.conversation.messages, Message.user("Sure?")]
    assert (request.agent, request.params) == ("Ann", {"temperature": 0})


async def test_a_session_is_json_with_a_version(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    await saved(path)
    found = json.loads(path.read_text())
    assert found.keys() == {
        *("flashlite_session", "name", "model", "options", "tools", "config", "conversation")
    }
    assert (found["flashlite_session"], found["tools"]) == (1, ["add"])
    assert found["options"] == {"temperature": 0}


async def test_options_may_be_said_anew(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    await saved(path)
    loaded = Agent.load_session(path, tools=[add], model="n", temperature=1, max_turns=7)
    assert (loaded.model, loaded.options, loaded.config.max_turns) == ("n", {"temperature": 1}, 7)


async def test_a_session_can_be_saved_after_every_turn(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    asked = CompletionResponse.of(tool_calls=[ToolCall("1", "add", {"a": 1, "b": 2})])
    agent, saved_at = Agent(client=scripted(asked, "3")[0], tools=[add]), []
    async for event in agent.stream("How much?"):
        if event.type is StreamEventType.META and event.data["event"] == "turn_start":
            agent.save_session(path)
            saved_at.append(len(Agent.load_session(path, tools=[add]).conversation))
    assert saved_at == [0, 3]
    loaded = Agent.load_session(path, client=scripted("3")[0], tools=[add])
    assert (await loaded.run()).content == "3"


async def test_secrets_are_not_written_down(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    secret = {"authorization": "secret"}
    await saved(path, api_key="secret", extra_headers=secret, extra_body=secret)
    assert "secret" not in path.read_text()


async def test_tools_that_are_missing_are_named(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    await saved(path)
    with pytest.raises(ConfigError, match="had tools that are not given: add: tools="):
        Agent.load_session(path, tools=[sub])


async def test_an_agent_is_a_dict_and_back(tmp_path: Path) -> None:
    agent = await saved(tmp_path / "session.json")
    found = json.loads(json.dumps(agent.to_dict()))
    loaded = Agent.from_dict(found, tools=[add], config=AgentConfig(max_turns=5))
    assert loaded.conversation.messages == agent.conversation.messages
    assert (loaded.name, loaded.config, loaded.options) == (
        "Ann",
        AgentConfig(max_turns=5),
        {"temperature": 0},
    )


def session(**members: Any) -> str:
    empty: dict[str, Any] = {"config": {}, "tools": [], "options": {}, "conversation": {}}
    return json.dumps({"flashlite_session": 1, **empty, **members})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no saved session"),
        ("[]", "is no saved session"),
        ("{}", "is no saved session"),
        ('{"flashlite_session": 1}', "is no saved session"),
        ('{"flashlite_session": "1"}', "is no saved session"),
        ('{"flashlite_session": 2}', r"by a newer flashlite \(form 2; this one reads up to 1\)"),
        (session(), "this is no saved conversation"),
        (session(config={"x": 1}), "is no saved session"),
        (session(tools=[1]), "is no saved session"),
        (session(options=1), "is no saved session"),
    ],
)
def test_what_is_no_session_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "session.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        Agent.load_session(path)


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "session.json"
    with pytest.raises(StoreError, match=r"session\.json: No such file"):
        Agent.load_session(path)
    Agent().save_session(path)
    with pytest.raises(StoreError, match="/no: "):
        Agent().save_session(path.parent)


async def test_a_session_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    agent = await saved(path)
    before = path.read_text()
    agent.options["metadata"] = {"at": object()}
    with pytest.raises(ConfigError, match="a session is saved as JSON"):
        agent.save_session(path)
    assert path.read_text() == before
    assert os.listdir(tmp_path) == ["session.json"]
