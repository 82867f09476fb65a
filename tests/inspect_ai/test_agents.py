"""Our agents as Inspect's, and chats of several of them inside a sample."""

from __future__ import annotations

from typing import Any

import pytest
from inspect_ai.agent import as_tool, handoff
from inspect_ai.dataset import Sample
from inspect_ai.event import InfoEvent
from inspect_ai.model import ChatMessage, ModelUsage
from inspect_ai.solver import generate, use_tools
from inspect_ai.util import LimitExceededError, registry_create
from pydantic import BaseModel

from flashlite import Agent, Flashlite
from flashlite.inspect_ai import (
    ChatLog,
    SampleChat,
    flashlite_agent,
    multi_agent,
    multi_agent_chat,
    note_decision,
)
from flashlite.testing import ScriptedProvider

from .running import (
    INSPECTS_OWN,
    answering,
    calling,
    model_events,
    notes,
    outline,
    run,
    run_log,
    saying,
    spoken,
)

pytestmark = INSPECTS_OWN


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word} is a word"


class Bid(BaseModel):
    price: int


def test_an_agent_is_a_solver_with_a_span_of_its_own() -> None:
    agent = flashlite_agent(system_prompt="Be brief.", tools=[look_up])
    sample = run(agent, saying(calling(("look_up", {"word": "fig"})), "A fruit."))
    assert outline(sample) == [
        "solver flashlite/flashlite_agent",
        "  agent flashlite_agent",
        "    model: calls",
        "    tool look_up",
        "    call: fig is a word",
        "    model: A fruit.",
    ]
    assert spoken(sample.messages) == [
        ("system", "Be brief."),
        ("user", "Begin."),
        ("assistant", ""),
        ("tool", "fig is a word"),
        ("assistant", "A fruit."),
    ]
    assert sample.output.completion == "A fruit."


def test_an_agent_is_a_tool() -> None:
    solver = [use_tools(as_tool(flashlite_agent(), description="Knows.")), generate()]
    model = saying(calling(("flashlite_agent", {"input": "What?"})), "That.", "It says that.")
    sample = run(solver, model)
    assert [message.text for message in sample.messages if message.role == "tool"] == ["That."]
    assert sample.output.completion == "It says that."


def test_a_conversation_is_handed_off_to_an_agent() -> None:
    solver = [use_tools(handoff(flashlite_agent(), description="Knows.")), generate()]
    model = saying(calling(("transfer_to_flashlite_agent", {})), "I know it.", "Thank you.")
    sample = run(solver, model)
    assert spoken(sample.messages)[-3:] == [
        ("assistant", "[flashlite_agent] I know it."),
        ("user", "The flashlite_agent agent has completed its work."),
        ("assistant", "Thank you."),
    ]


def test_an_agent_answers_in_a_shape_and_what_never_fits_is_for_a_scorer() -> None:
    agent = flashlite_agent(response_model=Bid)
    sample = run(agent, saying("no", "no", "still no"))
    assert sample.output.completion == "still no"
    assert spoken(sample.messages) == [("user", "Begin."), ("assistant", "still no")]
    [note] = notes(sample)
    assert note["event"] == "unfit"
    assert note["reason"].startswith("the answer did not fit Bid after 3 tries")


def test_a_shape_may_be_named_by_its_module() -> None:
    agent = flashlite_agent(response_model="flashlite.types:Usage")
    sample = run(agent, saying('{"input_tokens": 3}'))
    assert sample.output.completion == '{"input_tokens": 3}'


def test_agents_talk_in_turn_each_in_a_span_and_the_last_word_is_the_output() -> None:
    sample = run(multi_agent(), saying("one", "two", "three"))
    assert outline(sample) == [
        "solver flashlite/multi_agent",
        "  message: Moderator to everyone: Begin.",
        "  agent Solver",
        "    model: one",
        "  message: Solver to everyone: one",
        "  agent Critic",
        "    model: two",
        "  message: Critic to everyone: two",
        "  agent Solver",
        "    model: three",
        "  message: Solver to everyone: three",
    ]
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("assistant", "[Solver] one"),
        ("assistant", "[Critic] two"),
        ("assistant", "[Solver] three"),
    ]
    assert sample.output.completion == "three"


def test_an_agents_messages_keep_their_ids_from_turn_to_turn() -> None:
    events = model_events(run(multi_agent(), saying("one", "two", "three")))
    first, last = ([message.id for message in events[n].input] for n in (0, 2))
    assert last[:3] == [*first, events[0].output.message.id]


async def _secretly(chat: SampleChat) -> dict[str, int]:
    await chat.speak("Ann", visible_to="Bob")
    bids = await chat.simultaneous(response_model=Bid, visible_to=())
    prices = {name: bid.price for name, bid in zip(chat.agents, bids, strict=True)}
    note_decision("Ann", bids[0])
    chat.add_message("Moderator", f"The bids are {prices}.")
    return prices


def _bidding(messages: list[ChatMessage]) -> str:
    if "Only Bob will read" in messages[-1].text:
        return "Let us ask for 9."
    return '{"price": 9}' if "ask for 9" in str(spoken(messages)) else '{"price": 1}'


def test_private_messages_are_in_the_log_and_the_store_and_nowhere_else() -> None:
    solver = multi_agent(["Ann", "Bob"], protocol=_secretly)
    sample = run(solver, answering(_bidding))
    assert outline(sample) == [
        "solver flashlite/multi_agent",
        "  message: Moderator to everyone: Begin.",
        "  agent Ann",
        "    model: Let us ask for 9.",
        "  message: Ann to Bob: Let us ask for 9.",
        "  agent Ann",
        '    model: {"price": 9}',
        "  agent Bob",
        '    model: {"price": 9}',
        '  message: Ann to nobody: {"price": 9}',
        '  message: Bob to nobody: {"price": 9}',
        "  decision: Ann: {'price': 9}",
        "  message: Moderator to everyone: The bids are {'Ann': 9, 'Bob': 9}.",
        "  decision: protocol: {'Ann': 9, 'Bob': 9}",
    ]
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("user", "[Moderator] The bids are {'Ann': 9, 'Bob': 9}."),
    ]
    assert sample.output.completion == '{"Ann":9,"Bob":9}'


def test_what_is_said_is_a_line_for_readers_with_facts_for_programs() -> None:
    sample = run(multi_agent(["Ann", "Bob"], protocol=_secretly), answering(_bidding))
    events = [event for event in sample.events if isinstance(event, InfoEvent) and event.metadata]
    assert [event.data for event in events] == [
        "**Moderator:** Begin.",
        "**Ann → Bob:** Let us ask for 9.",
        '**Ann → nobody:** {"price": 9}',
        '**Bob → nobody:** {"price": 9}',
        "**Moderator:** The bids are {'Ann': 9, 'Bob': 9}.",
    ]
    assert events[1].metadata == {
        "event": "message", "from": "Ann", "to": ["Bob"], "text": "Let us ask for 9."
    }  # fmt: skip


def test_public_messages_name_who_speaks_also_where_a_picture_is_shown() -> None:
    picture: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}

    def show(chat: SampleChat) -> None:
        chat.add_message("Ann", [picture])
        chat.add_message("Ann", "a secret", visible_to=())

    [_, shown] = run(multi_agent(["Ann"], protocol=show), saying()).messages
    assert shown.metadata == {"from": "Ann"}
    assert isinstance(shown.content, list)
    assert [part.type for part in shown.content] == ["text", "image"]
    assert shown.text == "[Ann]"


def test_the_store_has_the_whole_chat_and_who_may_read_what() -> None:
    sample = run(multi_agent(["Ann", "Bob"], protocol=_secretly), answering(_bidding))
    log = sample.store_as(ChatLog)
    assert (log.agents, log.outcome) == (["Ann", "Bob"], {"Ann": 9, "Bob": 9})
    assert [(one.author, one.visible_to) for one in log.transcript()] == [
        ("Moderator", None),
        ("Ann", ("Bob",)),
        ("Ann", ()),
        ("Bob", ()),
        ("Moderator", None),
    ]
    assert [one.author for one in log.transcript("Ann")] == ["Moderator", "Ann", "Ann", "Moderator"]
    assert [one.author for one in log.public()] == ["Moderator", "Moderator"]
    assert log.stats == {
        "Ann": {"turns": 2, "tool_calls": 0, "tokens": 4, "cost": None},
        "Bob": {"turns": 1, "tool_calls": 0, "tokens": 2, "cost": None},
    }


def test_an_agent_is_the_model_role_of_its_name_and_usage_is_the_roles() -> None:
    roles = {"Red": saying("r1", "r2"), "blue": saying("b")}
    agents = ["Red", {"name": "Blue", "model": "role:blue"}]
    sample = run(multi_agent(agents), saying(), model_roles=roles)
    assert [event.output.completion for event in model_events(sample)] == ["r1", "b", "r2"]
    assert sample.role_usage == {
        "Red": ModelUsage(input_tokens=2, output_tokens=2, total_tokens=4),
        "blue": ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2),
    }


def test_the_tools_of_an_agent_in_a_chat_are_in_its_span() -> None:
    agent = Agent("Ann", tools=[look_up])
    sample = run(
        multi_agent([agent], turns=1), saying(calling(("look_up", {"word": "fig"})), "A fruit.")
    )
    assert outline(sample)[2:] == [
        "  agent Ann",
        "    model: calls",
        "    tool look_up",
        "    call: fig is a word",
        "    model: A fruit.",
        "  message: Ann to everyone: A fruit.",
    ]
    assert agent.client is None


def test_a_limit_in_the_middle_of_a_chat_ends_the_sample_and_keeps_what_was_said() -> None:
    sample = run(multi_agent(turns=9), saying(*"abcdefgh"), token_limit=5)
    assert sample.limit is not None
    assert sample.limit.type == "token"
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("assistant", "[Solver] a"),
        ("assistant", "[Critic] b"),
    ]
    assert sample.output.completion == "b"


def test_a_limit_out_of_a_turn_in_parallel_ends_the_sample() -> None:
    def spend() -> str:
        """Spend it all."""
        raise LimitExceededError("custom", value=2, limit=1, message="spent")

    async def at_once(chat: SampleChat) -> None:
        await chat.simultaneous()

    solver = multi_agent([Agent("Ann", tools=[spend]), "Bob"], protocol=at_once)
    model = answering(lambda messages: "hm")
    sample = run(solver, model, model_roles={"Ann": saying(calling(("spend", {})))})
    assert sample.limit is not None
    assert (sample.limit.type, sample.limit.limit) == ("custom", 1)


def test_turns_follow_a_policy_and_stop_at_a_phrase() -> None:
    solver = multi_agent(["Ann", "Bob"], turns=9, policy="random:3", stop="DONE")
    sample = run(solver, saying("a", "b", "DONE"))
    authors = [entry.author for entry in sample.store_as(ChatLog).transcript()]
    assert authors in (["Moderator", "Ann", "Bob", "Ann"], ["Moderator", "Bob", "Ann", "Bob"])


def test_the_answer_may_be_that_of_one_agent() -> None:
    assert run(multi_agent(answers="Critic"), saying("1", "2", "3")).output.completion == "2"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"policy": "alphabetical"}, "a policy is in_turn, random or random:<seed>"),
        (
            {"agents": [Agent("Ann", client=Flashlite(provider=ScriptedProvider([])))]},
            "Ann is asked through Inspect in an eval: leave client out",
        ),
    ],
)
def test_what_cannot_work_is_said(options: dict[str, Any], reason: str) -> None:
    log = run_log(multi_agent(**options), saying("a"), samples=["Begin."])
    assert log.error is not None
    assert reason in log.error.message


def test_a_chat_is_an_agent_too() -> None:
    solver = [
        use_tools(as_tool(multi_agent_chat(turns=2), description="Debates.")),
        generate(),
    ]
    model = saying(calling(("multi_agent_chat", {"input": "Why?"})), "pro", "con", "So.")
    sample = run(solver, model)
    assert [message.text for message in sample.messages if message.role == "tool"] == ["con"]


@pytest.mark.parametrize(
    ("kind", "name", "arguments"),
    [
        ("solver", "multi_agent", {"agents": [{"name": "A"}], "turns": 2, "policy": "random"}),
        ("solver", "structured", {"response_model": "flashlite.types:Usage"}),
        ("solver", "tool_loop", {}),
        ("solver", "converse", {"user": ["And?"]}),
        ("solver", "prompt_template", {"template": "{{ prompt }}!"}),
        ("agent", "flashlite_agent", {"system_prompt": "Be brief."}),
        ("agent", "multi_agent_chat", {}),
        ("scorer", "schema_match", {"response_model": "flashlite.types:Usage"}),
        ("scorer", "structured_judge", {"rubric": "flashlite.types:Usage"}),
        ("scorer", "transcript_judge", {"rubric": "flashlite.types:Usage"}),
        ("scorer", "pairwise", {}),
    ],
)
def test_all_parts_are_found_by_their_names(kind: Any, name: str, arguments: Any) -> None:
    assert callable(registry_create(kind, f"flashlite/{name}", **arguments))


def test_several_samples_do_not_hear_one_another() -> None:
    samples = [Sample(id=n, input=f"Sample {n}.") for n in range(5)]
    model = answering(lambda messages: messages[-1].text.partition(": ")[2])
    log = run_log(multi_agent(turns=1), model, samples=samples)
    assert log.samples is not None
    said = {sample.id: sample.output.completion for sample in log.samples}
    assert said == {n: f"Sample {n}." for n in range(5)}
