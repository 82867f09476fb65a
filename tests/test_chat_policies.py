"""Who speaks next, and when a chat ends."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from flashlite import (
    Agent,
    CompletionError,
    CompletionResponse,
    ConfigError,
    Flashlite,
    MultiAgentChat,
    Usage,
)
from flashlite.chat import at_random, chosen_by, in_turn, says, spent
from flashlite.testing import ScriptedProvider

USAGE = Usage(input_tokens=10, output_tokens=2, input_cost=1.0, output_cost=0.5, total_cost=1.5)


def talking(*texts: str, usage: Usage | None = USAGE) -> MultiAgentChat:
    provider = ScriptedProvider([CompletionResponse.of(text, usage=usage) for text in texts])
    client = Flashlite("m", provider=provider)
    return MultiAgentChat(client, [Agent(name) for name in ("Ann", "Bob", "Cat")])


def speakers(chat: MultiAgentChat) -> str:
    return " ".join(entry.author for entry in chat.transcript if entry.is_turn)


async def test_agents_take_turns_where_nothing_else_is_said() -> None:
    chat = talking(*"abcde")

    assert await chat.run(max_turns=2) == ["a", "b"]
    chat.add_message("Ann", "I was made to say this.")  # no turn
    assert await chat.run(in_turn, max_turns=3) == ["c", "d", "e"]
    assert speakers(chat) == "Ann Bob Cat Ann Bob"


async def test_a_seed_draws_the_same_speakers_also_after_a_break() -> None:
    whole, broken = talking(*"abcdefgh"), talking(*"abcdefgh")

    await whole.run(at_random(7), max_turns=8)
    await broken.run(at_random(7), max_turns=3)
    await broken.run(at_random(7), max_turns=5)

    drawn = speakers(whole).split()
    assert speakers(broken).split() == drawn
    assert all(one != other for one, other in pairwise(drawn))
    assert set(drawn) == {"Ann", "Bob", "Cat"}


async def test_a_policy_of_your_own_may_wait_and_end_the_chat_and_ask_for_rounds() -> None:
    chat = talking(*"abc")

    async def policy(chat: MultiAgentChat) -> Any:
        return {0: "Bob", 1: ["Cat", "Ann"], 3: None}[len(chat.transcript)]

    assert await chat.run(policy) == ["a", "b", "c"]
    assert speakers(chat) == "Bob Cat Ann"


async def test_a_policy_that_names_a_stranger_is_told_so() -> None:
    with pytest.raises(ConfigError, match="no agent named 'Eve'"):
        await talking().run(lambda chat: "Eve")


async def test_a_chat_of_nobody_is_over() -> None:
    chat = MultiAgentChat()

    assert await chat.run(max_turns=3) == []
    assert await chat.run(at_random(1), max_turns=3) == []


async def test_a_moderator_reads_what_is_for_it_and_chooses() -> None:
    chat = talking("a", "b")
    moderator = ScriptedProvider(["Well, Bob.", "[bob]:", "Ann", "nobody"])
    chat.add_message("Moderator", "Who did it?")
    chat.add_message("Ann", "It was me.", visible_to=["Bob"])
    chat.add_message("Bob", "Help me.", visible_to=["Moderator"])

    policy = chosen_by(Flashlite("judge", provider=moderator), temperature=0)
    assert await chat.run(policy) == ["a", "b"]

    assert speakers(chat) == "Bob Ann"
    assert moderator.requests[0].messages[-1].text == (
        "[Moderator]: Who did it?\n\n[Bob to Moderator]: Help me.\n\n[Chat]: Who speaks next?"
    )
    assert [message.text for message in moderator.requests[1].messages[-2:]] == [
        "Well, Bob.",
        "Answer with nothing but one of: Ann, Bob, Cat, nobody.",
    ]
    assert [request.params for request in moderator.requests] == [{"temperature": 0}] * 4


async def test_a_moderator_that_names_nobody_known_is_an_error() -> None:
    moderator = ScriptedProvider(["Eve", "Eve"])
    chat = talking()

    with pytest.raises(CompletionError, match="named no agent in 2 tries: 'eve'") as caught:
        await chat.run(chosen_by(Flashlite("judge", provider=moderator), tries=2))
    assert [message["role"][0] for message in caught.value.messages] == [*"suauau"]
    with pytest.raises(ConfigError, match="tries is a whole number from 1 on; got 0"):
        chosen_by(Flashlite("judge", provider=moderator), tries=0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"policy": "round_robin"},
            "a policy is a function of the chat, such as in_turn or at_random(seed); "
            "got 'round_robin'",
        ),
        ({"stop": "DONE"}, "stop is a function of the chat, such as says('DONE'); got 'DONE'"),
        ({"max_turns": "2"}, "max_turns is a whole number from 0 on; got '2'"),
    ],
)
async def test_a_run_with_a_text_for_a_function_or_a_number_says_what_it_takes(
    arguments: Any, sentence: str
) -> None:
    chat = talking()
    with pytest.raises(ConfigError) as caught:
        await chat.run(**arguments)
    assert (str(caught.value), chat.transcript) == (sentence, [])


def test_a_models_name_chooses_nobody() -> None:
    with pytest.raises(ConfigError, match=r"a client is what completes, .*; got 'mock/echo'"):
        chosen_by("mock/echo")  # type: ignore[arg-type]


async def test_a_phrase_ends_a_chat_when_an_agent_says_it() -> None:
    chat = talking("Hm.", "We are DONE.", "More.", "DONE")
    chat.add_message("Moderator", "Say DONE when you agree.")

    assert await chat.run(stop=says("DONE")) == ["Hm.", "We are DONE."]
    assert await chat.run(stop=says("DONE")) == []
    chat.add_message("Moderator", "Are you sure?")
    assert await chat.run(stop=says("DONE")) == ["More.", "DONE"]


async def test_a_phrase_may_be_said_by_any_in_a_round() -> None:
    chat = talking("We are DONE.", "Are we?", "Hm.", "Hm?")

    assert await chat.run(lambda chat: ["Ann", "Bob"], stop=says("DONE")) == [
        "We are DONE.",
        "Are we?",
    ]
    chat.add_message("Moderator", "Go on.")
    assert len(await chat.run(lambda chat: ["Ann", "Bob"], stop=says("DONE"), max_turns=2)) == 2
    assert not says("DONE")(chat)


async def test_a_moderator_may_leave_out_the_marks_around_a_name() -> None:
    chat = talking("Hello.")
    chat.add_agent(Agent("C.J."))
    moderator = Flashlite("m", provider=ScriptedProvider(["**C.J.**", "nobody"]))

    assert await chat.run(chosen_by(moderator)) == ["Hello."]
    assert chat.transcript[0].author == "C.J."


async def test_a_chat_ends_when_its_tokens_or_dollars_are_gone() -> None:
    assert await talking(*"abc").run(stop=spent(tokens=24)) == ["a", "b"]
    assert await talking(*"abc").run(stop=spent(cost=1.6)) == ["a", "b"]
    assert await talking(*"abc").run(stop=spent(tokens=99, cost=1.5)) == ["a"]
    assert await talking(*"abc").run(stop=spent(cost=0)) == []


async def test_what_is_unknown_cannot_be_limited() -> None:
    chat = talking("a", "b", usage=None)

    with pytest.raises(ConfigError, match=r"so spent\(cost=...\) cannot be kept"):
        await chat.run(stop=spent(cost=1))
    with pytest.raises(ConfigError, match="tokens=, cost= or both"):
        spent()
    assert speakers(chat) == "Ann"


async def test_a_condition_of_your_own_may_wait() -> None:
    async def enough(chat: MultiAgentChat) -> bool:
        return len(chat.transcript) == 2

    assert await talking(*"abc").run(stop=enough) == ["a", "b"]
