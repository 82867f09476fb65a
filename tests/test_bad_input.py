"""What is wrong is said in a sentence, and whoever it was said to can go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    Agent,
    AgentConfig,
    CompletionResponse,
    ConfigError,
    Conversation,
    Flashlite,
    MultiAgentChat,
    StreamEventType,
    ToolCall,
    run_tool_loop,
    tool,
)
from flashlite.testing import ScriptedProvider

from .virtual_time import virtual_time


@tool
def broken(city: str) -> str:
    """Fail."""
    raise LookupError(f"no city is called {city}")


@tool
async def endless(city: str) -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return city


@tool
def odd(city: str) -> object:
    """Return what nobody can write down."""
    return object()


@tool
def circular(city: str) -> list[Any]:
    """Return what contains itself."""
    found: list[Any] = [city]
    found.append(found)
    return found


@tool
def weather(city: str, days: int = 1) -> str:
    """Say how the weather is."""
    return f"sunny in {city}"


TOOLS: list[Any] = [broken, endless, odd, circular, weather]
ROME = {"city": "Rome"}
NO_JSON = "a result is text, parts or what JSON can say: Error serializing to JSON: "
FAILURES = [
    ("broken", ROME, "LookupError: no city is called Rome"),
    ("endless", ROME, "it took longer than 30 s"),
    ("odd", ROME, f"{NO_JSON}TypeError: object has no text but its address in memory"),
    ("circular", ROME, f"{NO_JSON}ValueError: Circular reference detected (id repeated)"),
    ("weather", {}, "the arguments do not fit:\ncity: Field required"),
    (
        "weather",
        {"city": "Rome", "days": "two"},
        "the arguments do not fit:\ndays: Input should be a valid integer, unable to parse string "
        'as an integer; got "two"',
    ),
    (
        "weather",
        {"town": "Rome", "city": "Rome"},
        'the arguments do not fit:\ntown: Extra inputs are not permitted; got "Rome"',
    ),
    ("weather", "[1]", "the arguments are not a JSON object: [1]"),
    (
        "weather",
        '{"city": "Ro',
        "the arguments are not valid JSON (Unterminated string starting at: line 1 column 10 "
        '(char 9)): {"city": "Ro',
    ),
    (
        "wether",
        ROME,
        "there is no tool named 'wether'; there are: broken, endless, odd, circular, weather",
    ),
]


def scripted(name: str, arguments: Any) -> tuple[Flashlite, ScriptedProvider]:
    """Return a model that makes a bad call beside a good one, says sorry, and does better."""
    bad, good = ToolCall("1", name, arguments), ToolCall("2", "weather", ROME)
    calls = CompletionResponse.of(tool_calls=[bad, good])
    again = CompletionResponse.of(tool_calls=[ToolCall("3", "weather", ROME)])
    provider = ScriptedProvider([calls, "Sorry.", again, "It is sunny."])
    return Flashlite("m", provider=provider), provider


def read_by_model(provider: ScriptedProvider) -> dict[str, str]:
    """Return the results of calls in the last request, by their call."""
    messages = provider.requests[-1].messages
    return {message["tool_call_id"]: message.text for message in messages if message.role == "tool"}


async def by_run(client: Flashlite) -> list[str]:
    agent = Agent(client=client, tools=TOOLS)
    return [(await agent.run(prompt)).content for prompt in ("Hi", "Again")]


async def by_stream(client: Flashlite) -> list[str]:
    agent, said = Agent(client=client, tools=TOOLS), list[str]()
    for prompt in ("Hi", "Again"):
        events = [event async for event in agent.stream(prompt)]
        assert events[-1].type is StreamEventType.DONE
        said.append(events[-1].data.content)
    return said


async def by_loop(client: Flashlite) -> list[str]:
    first = await run_tool_loop(client, "Hi", TOOLS, tool_timeout=30)
    history = [*first.messages, {"role": "user", "content": "Again"}]
    return [first.content, (await run_tool_loop(client, history, TOOLS)).content]


async def by_chat(client: Flashlite) -> list[str]:
    chat = MultiAgentChat(client, [Agent("Ann", tools=TOOLS, config=AgentConfig(tool_timeout=30))])
    return await chat.round_robin(2)


@pytest.mark.parametrize("way", [by_run, by_stream, by_loop, by_chat])
@pytest.mark.parametrize(("name", "arguments", "sentence"), FAILURES, ids=map(str, range(10)))
def test_a_bad_call_is_told_to_the_model_which_goes_on(
    name: str, arguments: Any, sentence: str, way: Callable[[Flashlite], Any]
) -> None:
    client, provider = scripted(name, arguments)

    assert virtual_time(way)(client) == ["Sorry.", "It is sunny."]

    assert read_by_model(provider) == {
        "1": f"Error: {sentence}",
        "2": "sunny in Rome",
        "3": "sunny in Rome",
    }


def talking() -> tuple[MultiAgentChat, ScriptedProvider]:
    provider = ScriptedProvider(["Hello.", "Hello, Ann."])
    agents = [Agent("Ann", tools=[weather]), Agent("Bob")]
    return MultiAgentChat(Flashlite("m", provider=provider), agents), provider


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda chat: chat.add_agent(Agent("Ann")), "there is an agent named 'Ann' already"),
        (lambda chat: chat.add_agent(Agent("ann")), "'ann' is too like 'Ann': spell both alike"),
        (lambda chat: chat.add_agent("Bob"), r"an agent is Agent\(\.\.\.\); got 'Bob'"),
        (lambda chat: chat.add_agent(Agent()), "a name is one line of text without brackets"),
        (lambda chat: chat.speak("Eve"), "there is no agent named 'Eve'; there are Ann, Bob"),
        (lambda chat: chat.round_robin(1, ["Ann", "Eve"]), "there is no agent named 'Eve'"),
        (lambda chat: chat.simultaneous(["Eve"]), "there is no agent named 'Eve'"),
        (lambda chat: chat.run(lambda _: "Eve"), "there is no agent named 'Eve'"),
        (lambda chat: chat.speak("Ann", visible_to=["Eve"]), "nobody here is called 'Eve'"),
        (lambda chat: chat.add_message("Bob", "Psst.", "Eve"), "nobody here is called 'Eve'"),
        (lambda chat: chat.add_message("Bob", ""), "a message is a text or a list of parts"),
        (lambda chat: chat.rewind(1), "there are 0 turns to take back; got 1"),
    ],
)
async def test_a_mistake_in_a_chat_changes_nothing_in_it(mistake: Any, sentence: str) -> None:
    chat, provider = talking()

    with pytest.raises(ConfigError, match=sentence):
        await mistake(chat)

    assert (list(chat.agents), chat.transcript, provider.requests) == (["Ann", "Bob"], [], [])
    assert await chat.round_robin() == ["Hello.", "Hello, Ann."]


def versioned(path: Path, key: str, version: Any) -> Path:
    """Change the version in a saved file."""
    found = json.loads(path.read_text())
    assert found[key] == 1
    path.write_text(json.dumps(found | {key: version}))
    return path


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (
            2,
            r"saved\.json: this {} was saved by a newer flashlite \(form 2; this one reads up to 1",
        ),
        (0, r"saved\.json: this is no saved {}: its version is 0"),
        ("1.0", r"saved\.json: this is no saved {}: its version is '1\.0'"),
    ],
)
async def test_a_file_of_another_version_is_refused_and_the_talk_goes_on(
    tmp_path: Path, version: Any, sentence: str
) -> None:
    path = tmp_path / "saved.json"
    client = Flashlite("mock/echo")

    agent = Agent("Ann", client=client)
    agent.save_session(path)
    with pytest.raises(ConfigError, match=sentence.format("session")):
        Agent.load_session(versioned(path, "flashlite_session", version))
    assert await agent.chat("Still there?") == "Still there?"

    conversation = Conversation("Be brief.", client=client)
    conversation.save(path)
    with pytest.raises(ConfigError, match=sentence.format("conversation")):
        Conversation.load(versioned(path, "version", version))
    assert (await conversation.say("Still there?")).content == "Still there?"

    chat, _ = talking()
    chat.save(path)
    with pytest.raises(ConfigError, match=sentence.format("chat")):
        MultiAgentChat.load(versioned(path, "version", version), tools=[weather])
    assert await chat.speak("Ann") == "Hello."


def test_what_was_saved_of_another_kind_is_named(tmp_path: Path) -> None:
    chat, session, conversation = (tmp_path / name for name in ("chat", "session", "conversation"))
    talking()[0].save(chat)
    Agent("Ann").save_session(session)
    Conversation("Be brief.").save(conversation)

    refused = [
        (Conversation.load, chat, "this is a saved chat, not a conversation: MultiAgentChat.load"),
        (Conversation.load, session, "this is a saved session, not a conversation: Agent.load_"),
        (MultiAgentChat.load, session, "this is a saved session, not a chat: Agent.load_session"),
        (MultiAgentChat.load, conversation, "this is a saved conversation, not a chat: Convers"),
        (Agent.load_session, chat, "this is a saved chat, not a session: MultiAgentChat.load"),
        (Agent.load_session, conversation, "this is a saved conversation, not a session: Conv"),
    ]
    for load, path, sentence in refused:
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: {sentence}")
