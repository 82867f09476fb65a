"""A whole negotiation, with secrets and tools, that costs nothing the second time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from flashlite import Agent, ChatEntry, DiskCache, Flashlite, MultiAgentChat, tool
from flashlite.testing import MockServer

ROUNDS, NAMES = 20, ("Ann", "Bob", "Cat")
TURNS = ROUNDS * 7


@tool
def worth(goods: str) -> int:
    """Say what goods are worth."""
    return len(goods)


class Traders:
    """Models that look goods up and then make an offer: no two answers are the same."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, body: Any) -> Any:
        self.number += 1
        if body["messages"][-1]["role"] == "tool":
            return f"<offer {self.number}>"
        looked_up = {"name": "worth", "arguments": json.dumps({"goods": f"<wish {self.number}>"})}
        call = {"id": f"call_{self.number}", "type": "function", "function": looked_up}
        return {"tool_calls": [call]}


async def negotiate(server: MockServer, cache: Path) -> MultiAgentChat:
    """Let three agents talk: in public, one to another in private, and all at once."""
    options: dict[str, Any] = {"base_url": server.base_url, "temperature": 0}
    async with Flashlite("openai/trader", cache=DiskCache(cache), **options) as client:
        agents = [
            Agent(name, system_prompt=f"<secret limit of {name}>", tools=[worth]) for name in NAMES
        ]
        chat = MultiAgentChat(client, agents)
        chat.add_message("Moderator", "Share the goods.")
        for number in range(ROUNDS):
            await chat.round_robin()
            speaker, listener = NAMES[number % 3], NAMES[(number + 1) % 3]
            await chat.speak(speaker, visible_to=[listener])
            await chat.simultaneous(additional_context=f"Round {number}: your bid.")
        return chat


async def test_a_negotiation_that_is_run_again_sends_nothing_and_is_the_same(
    tmp_path: Path,
) -> None:
    with MockServer("script", answers=Traders()) as server:
        chat = await negotiate(server, tmp_path / "cache.db")
        sent = list(server.requests)
        again = await negotiate(server, tmp_path / "cache.db")
        assert (len(sent), len(server.requests)) == (2 * TURNS, 2 * TURNS)  # a call and an offer

    assert len(chat.transcript) == 1 + TURNS
    assert len({one.text for one in chat.transcript}) == 1 + TURNS
    assert list(map(told, again.transcript)) == list(map(told, chat.transcript))
    for name in NAMES:
        assert again.get_messages_for(name) == chat.get_messages_for(name)
        stats = again.stats[name]
        assert (stats.tool_calls, stats.turns, stats.cost) == (stats.turns, stats.turns, 0)
        check_privacy(chat, name, [request.body["messages"] for request in sent])


def told(one: ChatEntry) -> dict[str, Any]:
    """Return an entry without what is another when it is free: its time and its price."""
    entry = {**one.to_dict(), "tokens": one.usage and one.usage.total_tokens}
    return {name: entry[name] for name in entry if name not in ("time", "usage", "cost")}


def check_privacy(chat: MultiAgentChat, name: str, sent: list[Any]) -> None:
    """Check that an agent's model was sent what is for it and nothing else, and in the end all."""
    secret = f"<secret limit of {name}>"
    own = [marked for messages in sent if secret in (marked := words(messages))]
    shared = {
        one.text
        for one in chat.transcript[1:]
        if one.visible_to is None or name in (one.author, *one.visible_to)
    }
    wishes = {
        call.arguments["goods"]
        for one in chat.transcript
        if one.author == name
        for call in one.tool_calls
    }
    assert set().union(*own) <= {secret} | shared | wishes
    last = max(own, key=len)
    assert {secret} | shared | wishes == last | {one.text for one in chat.transcript[-3:]}


def words(value: Any) -> set[str]:
    """Return the words in brackets, which are all that is said here."""
    return set(re.findall("<[^<>]+>", json.dumps(value)))
