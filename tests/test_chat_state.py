"""Chats that are saved, loaded, forked and taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    Agent,
    AgentConfig,
    ChatEntry,
    ChatState,
    CompletionResponse,
    ConfigError,
    Flashlite,
    Message,
    MultiAgentChat,
    StoreError,
    ToolCall,
    Usage,
    tool,
)
from flashlite.testing import ScriptedProvider

USAGE = Usage(input_tokens=10, output_tokens=2, input_cost=1.0, output_cost=0.5, total_cost=1.5)


@tool
def weather(place: str) -> str:
    """Say how the weather is."""
    return f"sunny in {place}"


def client(*texts: str) -> Flashlite:
    answers = [CompletionResponse.of(text, usage=USAGE, model="m") for text in texts]
    return Flashlite("m", provider=ScriptedProvider(answers))


async def rich_chat() -> MultiAgentChat:
    """Return a chat that has one of everything."""
    call = ToolCall("1", "weather", {"place": "Rome"})
    calling = CompletionResponse.of(tool_calls=[call], reasoning="Hm.", usage=USAGE)
    provider = ScriptedProvider([calling, "Sunny.", "Yes.", "No."])
    chat = MultiAgentChat(
        Flashlite("m", provider=provider),
        [
            Agent(
                "Ann",
                system_prompt="You are {{ mood }}.",
                tools=[weather],
                config=AgentConfig(max_turns=3),
                api_key="sk-secret",
            ),
            Agent("Bob", model="b", temperature=0.5),
        ],
        model="m2",
        max_iterations=2,
        variables={"mood": "glad"},
        share_tools=True,
        metadata={"run": 1},
        top_p=0.9,
        extra_headers={"authorization": "sk-secret"},
    )
    chat.add_message("Moderator", "How is it?", metadata={"topic": "weather"})
    await chat.speak("Ann", visible_to=["Bob"], additional_context="Look it up.")
    await chat.simultaneous()
    return chat


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("through", ["state", "dict", "file"])
async def test_what_was_saved_is_loaded(tmp_path: Path, through: str) -> None:
    chat, path = await rich_chat(), tmp_path / "chat.json"

    state = chat.save(path)
    source: Any = {"state": state, "dict": json.loads(state.to_json()), "file": path}[through]
    loaded = MultiAgentChat.load(source, client=client("Hello."), tools=[weather])

    assert loaded.transcript == chat.transcript
    assert [one.time for one in loaded.transcript] == [one.time for one in chat.transcript]
    assert loaded.stats == chat.stats
    for name in ("Ann", "Bob", "Moderator"):
        assert loaded.get_messages_for(name) == chat.get_messages_for(name)
    assert loaded.agents["Ann"].tools.names == ["weather"]
    assert loaded.agents["Ann"].config == AgentConfig(max_turns=3)
    assert (loaded.agents["Bob"].model, loaded.agents["Bob"].options) == ("b", {"temperature": 0.5})
    assert (loaded.model, loaded.max_iterations, loaded.options) == ("m2", 2, {"top_p": 0.9})
    assert (loaded.metadata, loaded.share_tools) == ({"run": 1}, True)
    assert await loaded.speak("Bob") == "Hello."


async def test_no_key_is_written(tmp_path: Path) -> None:
    (await rich_chat()).save(tmp_path / "chat.json")

    assert "sk-secret" not in (tmp_path / "chat.json").read_text()
    assert files_in(tmp_path) == ["chat.json"]


async def test_what_is_said_at_loading_goes_before_what_was_saved() -> None:
    state = (await rich_chat()).save()

    loaded = MultiAgentChat.load(state, tools=[weather], model="m3", top_p=0.1)

    assert (loaded.model, loaded.options) == ("m3", {"top_p": 0.1})


def test_all_tools_that_are_missing_are_named() -> None:
    def tool_named(name: str) -> Any:
        return tool(lambda: "", name=name, description="Do it.")

    agents = [
        Agent("Ann", tools=[tool_named("look"), weather]),
        Agent("Bob", tools=[tool_named("hear")]),
    ]
    state = MultiAgentChat(agents=agents).save()

    with pytest.raises(ConfigError) as caught:
        MultiAgentChat.load(state, tools=[weather])

    assert str(caught.value) == "the agents had tools that are not given: hear, look: tools=[...]"


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        '{"version": 2, "agents": [], "entries": []}',
        '{"version": 1, "agents": {}, "entries": []}',
        '{"version": 1, "agents": [{"name": "Ann"}], "entries": []}',
        '{"version": 1, "agents": [], "entries": [{"author": "Ann"}]}',
    ],
)
def test_what_is_no_saved_chat_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "chat.json"
    path.write_text(content)

    with pytest.raises(ConfigError, match=r"chat\.json: "):
        MultiAgentChat.load(path)


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.json"):
        MultiAgentChat.load(tmp_path / "none.json")
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError, match=r"chat\.json"):
        MultiAgentChat().save(tmp_path / "taken" / "chat.json")


def test_what_is_no_json_cannot_be_saved(tmp_path: Path) -> None:
    chat = MultiAgentChat(metadata={"when": object()})

    with pytest.raises(ConfigError, match="a chat is saved as JSON"):
        chat.save(tmp_path / "chat.json")
    assert files_in(tmp_path) == []


def test_an_entry_knows_itself_from_its_json() -> None:
    entry = ChatEntry(author="Ann", content="Hi.", visible_to=(), seen=3, cost=0.0, usage=USAGE)

    wire = json.loads(json.dumps(entry.to_dict()))

    assert ChatEntry.from_dict({**wire, "of_a_later_version": 1}) == entry
    assert isinstance(MultiAgentChat().save(), ChatState)


async def test_a_fork_goes_its_own_way() -> None:
    chat = await rich_chat()
    before = (chat.transcript, chat.get_messages_for("Ann"), chat.save())

    fork = chat.fork()
    fork.client = client("Never.")
    await fork.speak("Bob")
    fork.agents["Ann"].conversation.system_message = "You are sad."
    fork.transcript[0].metadata["topic"] = "football"  # type: ignore[index]
    fork.variables["mood"] = "cross"
    fork.options["top_p"] = 0.0
    fork.metadata["run"] = 2
    fork.add_agent(Agent("Cat"))

    assert (chat.transcript, chat.get_messages_for("Ann"), chat.save()) == before
    assert [entry.text for entry in fork.transcript[-2:]] == ["No.", "Never."]


async def test_turns_are_taken_back_with_what_followed_them() -> None:
    chat = MultiAgentChat(client("One.", "Two.", "Three."), [Agent("Ann")])
    chat.add_message("Moderator", "Count.")
    await chat.speak("Ann")
    chat.add_message("Moderator", "Go on.")
    await chat.speak("Ann")
    chat.add_message("Moderator", "Good.")

    assert chat.rewind(0) == []
    assert [entry.text for entry in chat.rewind()] == ["Two.", "Good."]
    assert [entry.text for entry in chat.transcript] == ["Count.", "One.", "Go on."]
    with pytest.raises(ConfigError, match="there are 1 turns to take back; got 2"):
        chat.rewind(2)
    assert await chat.speak("Ann") == "Three."
    assert [message.text for message in chat.get_messages_for("Ann")[1:]] == [
        "[Moderator]: Count.",
        "One.",
        "[Moderator]: Go on.",
        "Three.",
        "[Chat]: It is your turn, Ann.",
    ]
    assert chat.get_messages_for("Ann")[2] == Message.assistant("One.")


async def test_a_chat_starts_over() -> None:
    chat = await rich_chat()

    chat.clear()

    assert (chat.transcript, list(chat.agents), chat.stats["Ann"].turns) == ([], ["Ann", "Bob"], 0)
