"""Solvers that are flashlite's primitives inside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.agent import agent_with, handoff
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import Tool as InspectTool
from inspect_ai.tool import ToolFunction
from inspect_ai.tool import tool as inspect_tool
from pydantic import BaseModel

from flashlite.inspect_ai import (
    converse,
    flashlite_agent,
    multi_agent,
    prompt_template,
    structured,
    tool_loop,
)

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


class Person(BaseModel):
    name: str
    age: int


@inspect_tool
def shout() -> InspectTool:
    async def execute(text: str) -> str:
        """Shout.

        Args:
            text: What to shout.
        """
        return text.upper()

    return execute


def whisper(text: str) -> str:
    """Whisper."""
    return text.lower()


def test_a_structured_answer_is_repaired_and_only_what_fits_is_in_the_messages() -> None:
    sample = run(structured(Person), saying('{"name": "Ann"}', '{"name": "Ann", "age": 3}'))
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("assistant", '{"name": "Ann", "age": 3}'),
    ]
    assert sample.output.completion == '{"name": "Ann", "age": 3}'
    assert len(model_events(sample)) == 2


def test_a_structured_answer_that_never_fits_is_what_the_model_said() -> None:
    sample = run(structured(Person, retries=1), saying("no", "never"))
    assert spoken(sample.messages) == [("user", "Begin."), ("assistant", "never")]
    assert sample.output.completion == "never"
    assert [note["event"] for note in notes(sample)] == ["unfit"]


def test_a_limit_keeps_the_last_answer_though_it_did_not_fit() -> None:
    for limit in ({"message_limit": 2}, {"token_limit": 3}):
        for solver in (structured(Person), flashlite_agent(response_model=Person)):
            sample = run(solver, saying("no", "nor this"), **limit)
            assert sample.limit is not None
            assert spoken(sample.messages) == [("user", "Begin."), ("assistant", "no")]
            assert sample.messages[-1].id == sample.output.message.id


def test_a_limit_adds_no_answer_that_is_there_already() -> None:
    call = calling(("whisper", {"text": "Hi"}))
    sample = run(flashlite_agent(tools=[whisper]), saying(call, "Done."), token_limit=3)
    assert sample.limit is not None
    assert spoken(sample.messages) == [("user", "Begin."), ("assistant", ""), ("tool", "hi")]


def test_a_tool_loop_has_our_tools_and_those_of_the_sample() -> None:
    call = calling(("shout", {"text": "Hi"}), ("whisper", {"text": "Hi"}))
    sample = run([use_tools(shout()), tool_loop([whisper])], saying(call, "Done."))
    assert [tool.name for tool in model_events(sample)[0].tools] == ["whisper", "shout"]
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("assistant", ""),
        ("tool", "HI"),
        ("tool", "hi"),
        ("assistant", "Done."),
    ]
    assert outline(sample)[-6:] == [
        "  model: calls",
        "  tool shout",
        "  call: HI",
        "  tool whisper",
        "  call: hi",
        "  model: Done.",
    ]


@pytest.mark.parametrize(
    ("chosen", "asked"),
    [
        ("any", ["any", "auto"]),
        (ToolFunction(name="shout"), [ToolFunction(name="shout"), "auto"]),
        ("auto", ["auto", "auto"]),
        ("none", ["none", "none"]),
        (None, ["auto", "auto"]),
    ],
)
def test_a_tool_loop_keeps_to_the_tool_choice_of_the_sample(chosen: Any, asked: list[Any]) -> None:
    solver = [use_tools(shout(), tool_choice=chosen), tool_loop()]
    sample = run(solver, saying(calling(("shout", {"text": "Hi"})), "Done."))
    assert [event.tool_choice for event in model_events(sample)] == asked


def test_a_tool_loops_own_tool_choice_goes_first() -> None:
    solver = [use_tools(shout(), tool_choice="any"), tool_loop(options={"tool_choice": "none"})]
    [event] = model_events(run(solver, saying("Done.")))
    assert event.tool_choice == "none"


@inspect_tool
def fall() -> InspectTool:
    async def execute() -> str:
        """Fall."""
        raise RuntimeError("it fell")

    return execute


def test_a_tool_loop_keeps_its_messages_if_an_inspect_tool_raises() -> None:
    model = saying(calling(("whisper", {"text": "Hi"})), calling(("fall", {})))
    log = run_log(tool_loop([whisper, fall()]), model, samples=["Begin."])
    assert log.samples is not None
    [sample] = log.samples
    assert sample.error is not None
    assert "it fell" in sample.error.message
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("assistant", ""),
        ("tool", "hi"),
        ("assistant", ""),
        ("tool", "Error: the call was broken off"),
    ]


def test_a_conversation_is_handed_over_in_a_tool_loop_and_comes_back() -> None:
    expert = handoff(agent_with(flashlite_agent(), name="expert"), description="Knows.")
    call = calling(("transfer_to_expert", {}), ("whisper", {"text": "Hi"}))
    sample = run(tool_loop([expert, whisper]), saying(call, "I know it.", "Thank you."))
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("assistant", ""),
        ("tool", "Successfully transferred to expert."),
        ("tool", "hi"),
        ("assistant", "[expert] I know it."),
        ("user", "The expert agent has completed its work."),
        ("assistant", "Thank you."),
    ]
    read = [[message.text for message in event.input] for event in model_events(sample)]
    assert read[1] == ["Begin.", "", "Successfully transferred to expert."]
    assert read[2][-2:] == [
        "[expert] I know it.",
        "The expert agent has completed its work.",
    ]
    assert "      agent expert" in outline(sample)


def test_an_agent_hands_its_conversation_over_too() -> None:
    expert = handoff(agent_with(flashlite_agent(), name="expert"), description="Knows.")
    model = saying(calling(("transfer_to_expert", {})), "I know it.", "Thank you.")
    sample = run(flashlite_agent(tools=[expert]), model)
    assert spoken(sample.messages)[-3:] == [
        ("assistant", "[expert] I know it."),
        ("user", "The expert agent has completed its work."),
        ("assistant", "Thank you."),
    ]


def test_so_it_does_in_a_process_where_inspect_has_seen_no_tool_before() -> None:
    code = (
        f"from {__name__} import {test_an_agent_hands_its_conversation_over_too.__name__} as f; f()"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("made", [converse, multi_agent])
def test_a_talk_without_turns_is_refused(made: Callable[..., Any]) -> None:
    log = run_log(made(["Ann"], turns=0), saying("never"), samples=["Begin."])
    assert log.error is not None
    assert "turns is at least 1; got 0" in log.error.message


def test_a_script_is_said_line_by_line() -> None:
    sample = run(converse(["two", "three"], system_prompt="Count."), saying("1", "2", "3"))
    assert spoken(sample.messages) == [
        ("system", "Count."),
        ("user", "Begin."),
        ("assistant", "1"),
        ("user", "two"),
        ("assistant", "2"),
        ("user", "three"),
        ("assistant", "3"),
    ]


def test_a_model_plays_the_user_from_the_other_side_until_it_is_satisfied() -> None:
    heard: list[list[tuple[str, str]]] = []

    def user(messages: list[ChatMessage]) -> str:
        heard.append(spoken(messages))
        return "More?" if len(heard) == 1 else "BYE"

    player = {"name": "user", "system_prompt": "You are curious."}
    sample = run(
        converse(player, turns=9, until="BYE"),
        saying("1", "2"),
        model_roles={"user": answering(user)},
    )
    assert spoken(sample.messages) == [
        ("user", "Begin."),
        ("assistant", "1"),
        ("user", "More?"),
        ("assistant", "2"),
        ("user", "BYE"),
    ]
    assert heard[1] == [
        ("system", "You are curious."),
        ("user", "Begin.\n\n1"),
        ("assistant", "More?"),
        ("user", "2"),
    ]
    assert outline(sample) == [
        "solver flashlite/converse",
        "  model: 1",
        "  agent user",
        "    model: More?",
        "  model: 2",
        "  agent user",
        "    model: BYE",
    ]


def test_a_conversation_ends_after_so_many_answers() -> None:
    sample = run(converse(["a", "b", "c"], turns=2), saying("1", "2"))
    assert [text for role, text in spoken(sample.messages) if role == "assistant"] == ["1", "2"]


def test_a_template_has_the_prompt_the_metadata_and_its_variables() -> None:
    template = "{{ prompt }}{% for one in topics %}\n- {{ one | upper }}{% endfor %} {{ tone }}"
    sample = run(
        [prompt_template(template, tone="Calmly."), generate()],
        saying("ok"),
        sample=Sample(input="Think of", metadata={"topics": ["a", "b"], "tone": "Loudly."}),
    )
    assert spoken(sample.messages)[0] == ("user", "Think of\n- A\n- B Calmly.")


@pytest.mark.parametrize("template", ["{{ nobody }}", "{{ prompt.upper(1) }}"])
def test_a_template_that_fails_says_why(template: str) -> None:
    log = run_log([prompt_template(template), generate()], saying("ok"), samples=["Begin."])
    assert log.error is not None
    assert "<prompt>, line 1" in log.error.message


def test_what_was_said_before_counts_no_turns() -> None:
    asked = [ChatMessageUser(content="a"), ChatMessageAssistant(content="b")]
    sample = Sample(input=[*asked, ChatMessageUser(content="c")])
    done = run(converse(["x", "y"], turns=2), saying("1", "2"), sample=sample)
    assert [text for _, text in spoken(done.messages)] == ["a", "b", "c", "1", "x", "2"]


def test_an_answer_whose_calls_nobody_can_read_stays_the_one_that_inspect_has() -> None:
    unread = calling(("whisper", {"raw": "{bad"}))
    calls = unread.choices[0].message.tool_calls
    assert calls
    calls[0].parse_error = "no JSON"
    sample = run(tool_loop([whisper]), saying(unread, "done"))
    first, second = model_events(sample)
    assert first.output.message.id == second.input[1].id == sample.messages[1].id


@pytest.mark.parametrize("model", ["role:red", "red"])
def test_the_model_of_a_solver_may_be_a_role(model: str) -> None:
    for solver in (tool_loop(model=model), converse([], model=model)):
        assert run(solver, saying("no"), model_roles={"red": saying("yes")}).output.completion == (
            "yes"
        )
