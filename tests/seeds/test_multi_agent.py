"""What seed 000 shows of multi-agent chats, line by line; only the models are scripted."""

from __future__ import annotations

import pytest

from flashlite import Agent, Flashlite, Message, MultiAgentChat
from flashlite.testing import ScriptedProvider


async def test_multi_agent_conversations(capsys: pytest.CaptureFixture[str]) -> None:
    provider = ScriptedProvider(["Help!", "Hurt?", *"abcdef", *"ghi", "expertly", "quickly"])

    client = Flashlite(default_model="gpt-4o-mini", provider=provider)
    chat = MultiAgentChat(client)

    # Add agents with different personas
    chat.add_agent(
        Agent(
            name="Optimist", system_prompt="You see the positive side. Be concise (1-2 sentences)."
        )
    )
    chat.add_agent(
        Agent(name="Skeptic", system_prompt="You question assumptions. Be concise (1-2 sentences).")
    )

    # Start with a topic
    chat.add_message("Moderator", "Discuss: Will AI help or hurt jobs?")

    # Have agents take turns
    response1 = await chat.speak("Optimist")
    print(f"Optimist: {response1}")  # noqa: T201

    response2 = await chat.speak("Skeptic")
    print(f"Skeptic: {response2}")  # noqa: T201

    assert capsys.readouterr().out == "Optimist: Help!\nSkeptic: Hurt?\n"

    # Have all agents speak in order for multiple rounds
    responses = await chat.round_robin(rounds=3)
    assert responses == [*"abcdef"]

    # Or specify exact sequence
    responses = await chat.speak_sequence(["Optimist", "Skeptic", "Optimist"])
    assert responses == [*"ghi"]

    # Different agents can use different models
    chat.add_agent(
        Agent(
            name="GPT-4 Expert",
            system_prompt="You provide expert analysis.",
            model="gpt-4o",  # Uses GPT-4 for this agent
        )
    )
    chat.add_agent(
        Agent(
            name="Quick Responder",
            system_prompt="You give fast, brief responses.",
            model="gpt-4o-mini",  # Uses cheaper model
        )
    )
    assert await chat.speak("GPT-4 Expert") == "expertly"
    assert await chat.speak("Quick Responder") == "quickly"
    assert [request.model for request in provider.requests[-3:]] == [
        "gpt-4o-mini",
        "gpt-4o",
        "gpt-4o-mini",
    ]

    # Get formatted transcript
    print(chat.format_transcript())  # noqa: T201
    assert capsys.readouterr().out.startswith(
        "[Moderator]: Discuss: Will AI help or hurt jobs?\n\n[Optimist]: Help!\n\n[Skeptic]: Hurt?"
    )

    # Get messages from an agent's perspective
    alice_view = chat.get_messages_for("Alice")
    assert alice_view == [Message.user(chat.format_transcript())]

    # Clear and start over
    chat.clear()
    assert (chat.transcript, list(chat.agents)) == (
        [],
        ["Optimist", "Skeptic", "GPT-4 Expert", "Quick Responder"],
    )
