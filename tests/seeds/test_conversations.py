"""What the seeds 000 and 002 show of conversations, line by line; only the models are scripted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    GPT5,
    ContextManager,
    Conversation,
    Flashlite,
    Message,
    Role,
    ToolCall,
    estimate_tokens,
    truncate_messages,
)
from flashlite.testing import ScriptedProvider


def scripted(*answers: str) -> tuple[Flashlite, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    return Flashlite(default_model="gpt-4o", provider=provider), provider


# 000: Conversation Management
async def test_000_conversations(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    client, provider = scripted("4", "12", "10", "6")

    # Create a conversation
    conv = client.conversation(system="You are a helpful math tutor.")

    # Multi-turn interaction
    response1 = await conv.say("What is 2 + 2?")
    print(response1.content)  # "4"  # noqa: T201

    response2 = await conv.say("And if I multiply that by 3?")
    print(response2.content)  # "12"  # noqa: T201

    # Get full history
    for msg in conv.messages:
        print(f"{msg['role']}: {msg['content']}")  # noqa: T201

    assert capsys.readouterr().out == (
        "4\n12\nsystem: You are a helpful math tutor.\nuser: What is 2 + 2?\nassistant: 4\n"
        "user: And if I multiply that by 3?\nassistant: 12\n"
    )
    assert len(provider.requests[1].messages) == 4

    # Fork for exploration
    fork = conv.fork()
    response_fork = await fork.say("What about 5 + 5?")

    # Original conversation unchanged
    response_orig = await conv.say("Divide by 2 instead")

    assert (response_fork.content, response_orig.content) == ("10", "6")
    assert conv.messages[:5] == fork.messages[:5]
    assert (conv[5].content, fork[5].content) == ("Divide by 2 instead", "What about 5 + 5?")

    # Save conversation
    state = conv.save()
    with open("conversation.json", "w") as f:  # noqa: ASYNC230
        json.dump(state.model_dump(), f)

    # Load conversation
    with open("conversation.json") as f:  # noqa: ASYNC230
        data = json.load(f)

    loaded_conv = client.conversation(system=data["system_prompt"])
    loaded_conv._messages = data["messages"]  # Restore history

    assert loaded_conv.messages == conv.messages
    assert loaded_conv.system_prompt == "You are a helpful math tutor."


# 000: Context Window Management
def test_000_context_window() -> None:
    client, _ = scripted()
    messages = [
        Message.system("Be brief."),
        *[Message.user(f"Question {n}: " + "word " * 500) for n in range(30)],
    ]
    very_long_conversation = messages

    # Estimate tokens in messages
    tokens = estimate_tokens(messages)

    # Get model limits
    ctx = client.context_manager(model="gpt-4")

    # Prepare messages - auto-truncates if needed
    prepared = ctx.prepare(very_long_conversation)

    # Or manually truncate
    truncated = truncate_messages(
        messages,
        max_tokens=4000,
        keep_system=True,
    )

    assert isinstance(ctx, ContextManager)
    assert tokens > ctx.limit == 8192
    assert prepared == [messages[0], *messages[-16:]]
    assert truncated == [messages[0], *messages[-7:]]


# 002: Basic Conversation Usage
def test_002_basic_usage() -> None:
    # Create conversation
    conv = Conversation(
        system_message="You are a helpful assistant.",
        max_tokens=8000,  # Context limit (optional)
        truncation_strategy="sliding",
    )

    # Add messages
    conv.add_user("What is Python?")
    conv.add_assistant("Python is a programming language...")
    conv.add_user("Show me an example")

    # Add message with tool calls
    conv.add_assistant_with_tools(
        content="Let me search for that.",
        tool_calls=[ToolCall(id="call_1", name="search", arguments='{"q": "python"}')],
    )

    # Add tool result
    conv.add_tool_result(
        tool_call_id="call_1",
        content="Found 10 results...",
        name="search",
    )

    # Access messages
    assert len(conv) == 6  # Number of messages
    assert conv[0] == Message.system("You are a helpful assistant.")  # First message
    last = conv.get_last_message()  # Most recent
    assert last is not None
    assert last.role == Role.TOOL
    assert conv.get_last_user_message() == Message.user("Show me an example")
    assistant = conv.get_last_assistant_message()  # Most recent assistant
    assert assistant is not None
    assert [call.arguments for call in assistant.tool_calls or ()] == [{"q": "python"}]

    # Get messages for API call
    messages = conv.get_messages()  # List[Message]
    messages_dict = conv.get_messages_dict()  # List[dict] for API
    assert all(type(message) is Message for message in messages)
    assert all(type(message) is dict for message in messages_dict)
    assert messages == messages_dict
    assert len(messages) == 6


# 002: Context Window Management
@pytest.mark.parametrize("strategy", ["sliding", "drop_oldest", "drop_middle"])
def test_002_context_window(strategy: Any) -> None:
    conv = Conversation(
        system_message="You are helpful.",
        max_tokens=8000,
        truncation_strategy=strategy,
        reserve_tokens=2000,  # Reserve for response
    )
    for n in range(30):
        conv.add_user(f"Question {n}: " + "word " * 300)
        conv.add_assistant("word " * 100)
    conv.add_user("The last question")

    # Get messages with automatic truncation
    messages = conv.get_messages(model=GPT5)  # Truncated to fit

    # Count tokens
    token_count = conv.count_tokens(GPT5)

    assert token_count > 8000
    assert estimate_tokens(messages, GPT5) <= 6000
    assert (messages[0], messages[-1]) == (conv[0], conv[-1])
    assert (messages[1] == conv[1]) is (strategy == "drop_middle")


# 002: Conversation Serialization
def test_002_serialization(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    original = conv = Conversation(system_message="You are helpful.", max_tokens=8000)
    conv.add_user("Hi")
    conv.add_assistant("Hello")
    conv.add_user("Bye")

    # To/from dictionary
    data = conv.to_dict()
    conv = Conversation.from_dict(data)

    # To/from JSON string
    json_str = conv.to_json()
    conv = Conversation.from_json(json_str)

    # Save/load from file
    conv.save("conversation.json")
    conv = Conversation.load("conversation.json")

    assert (conv.messages, conv.config, conv.id) == (
        original.messages,
        original.config,
        original.id,
    )

    # Fork (copy with new session ID)
    forked = conv.fork()
    assert (forked.messages, forked.id == conv.id) == (conv.messages, False)

    # Branch from specific point
    branched = conv.branch(from_index=3)  # Keep first 3 messages
    assert branched.messages == conv.messages[:3]

    # Format as readable string
    assert conv.format_history(max_messages=10) == (
        "system: You are helpful.\nuser: Hi\nassistant: Hello\nuser: Bye"
    )

    # Clear messages (keeps system message)
    conv.clear()
    assert conv.messages == [Message.system("You are helpful.")]
