"""flashlite's conversations, loops and agents on the models of a running eval."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from inspect_ai.approval import Approval, ApprovalPolicy, Approver, approver
from inspect_ai.model import (
    ChatMessageAssistant,
    ContentReasoning,
    ContentText,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool as InspectTool
from inspect_ai.tool import ToolCall as InspectToolCall
from inspect_ai.tool import tool as inspect_tool
from inspect_ai.util import LimitExceededError
from pydantic import BaseModel

from flashlite import Agent, Conversation, Tool, Usage, run_tool_loop
from flashlite.errors import ConfigError, StructuredOutputError
from flashlite.inspect_ai import InspectCompleter, as_inspect_tool, tool_loop
from flashlite.inspect_ai._completer import to_response
from flashlite.inspect_ai._schemas import tool_info

from .running import INSPECTS_OWN, calling, model_events, outline, run, saying, spoken

pytestmark = INSPECTS_OWN


def solving(step: Any) -> Solver:
    """Return a solver that awaits `step(state, completer)`."""

    @solver(name="step")
    def made() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            await step(state, InspectCompleter())
            return state

        return solve

    return made()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Person(BaseModel):
    name: str
    age: int


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


def test_a_conversation_is_answered_by_the_model_of_the_eval_and_its_messages_keep_their_ids() -> (
    None
):
    async def talk(state: TaskState, completer: InspectCompleter) -> None:
        conversation = Conversation("Be brief.", client=completer)
        for said in ("one", "again", "again"):
            await conversation.say(said)

    events = model_events(run(solving(talk), saying("1", "2", "2")))
    assert [spoken(event.input) for event in events][-1] == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "1"),
        ("user", "again"),
        ("assistant", "2"),
        ("user", "again"),
    ]
    ids = [[message.id for message in event.input] for event in events]
    answers = [event.output.message.id for event in events]
    assert ids[2][:4] == ids[1]
    assert ids[1][:2] == ids[0]
    assert [ids[2][2], ids[2][4]] == answers[:2]


def test_what_our_messages_have_no_words_for_goes_back_to_inspect_as_it_came() -> None:
    thought = ContentReasoning(reasoning="signed", summary="Hm.", redacted=True, internal={"k": 1})
    answer = ModelOutput.from_message(
        ChatMessageAssistant(content=[thought, ContentText(text="1", internal={"x": 2})])
    )

    async def talk(state: TaskState, completer: InspectCompleter) -> None:
        conversation = Conversation(client=completer)
        await conversation.say("one")
        await conversation.say("two")

    first, second = model_events(run(solving(talk), saying(answer, "2")))
    assert second.input[1].model_dump() == first.output.message.model_dump()
    assert second.input[1].content[0] == thought


def test_call_options_become_inspects_config() -> None:
    async def ask(state: TaskState, completer: InspectCompleter) -> None:
        await completer.complete(
            "Hi",
            temperature=0.5,
            max_completion_tokens=10,
            stop="END",
            n=2,
            thinking={"type": "enabled", "budget_tokens": 100},
            logit_bias={"7": 1.0},
            extra_body={"x": 1},
            agent="Ann",
            tags=["t"],
        )

    [event] = model_events(run(solving(ask), saying("ok")))
    given = event.config.model_dump(exclude_none=True)
    assert (
        given
        | {
            "temperature": 0.5,
            "max_tokens": 10,
            "stop_seqs": ["END"],
            "num_choices": 2,
            "reasoning_tokens": 100,
            "logit_bias": {7: 1.0},
            "extra_body": {"x": 1},
        }
        == given
    )


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"timeout": 3}, "inside an eval, Inspect decides on timeout"),
        ({"api_key": "k"}, "inside an eval, Inspect decides on api_key"),
        ({"cache": "only"}, "inside an eval the cache is Inspect's"),
        ({"service_tier": "flex"}, "Inspect's models take no service_tier"),
        ({"response_format": "json_object"}, "Inspect's models take a JSON schema"),
        ({"thinking": {"type": "disabled"}}, "a thinking budget"),
    ],
)
def test_an_option_that_inspect_has_no_word_for_is_the_callers_error(
    option: dict[str, Any], reason: str
) -> None:
    async def ask(state: TaskState, completer: InspectCompleter) -> None:
        with pytest.raises(ConfigError, match=reason):
            await completer.complete("Hi", **option)

    sample = run(solving(ask), saying("ok"))
    assert (sample.error, model_events(sample)) == (None, [])


def test_an_answer_that_does_not_fit_is_asked_for_again_and_the_schema_is_inspects() -> None:
    found: list[Any] = []

    async def ask(state: TaskState, completer: InspectCompleter) -> None:
        found.append(await completer.ask("Who?", response_model=Person))

    sample = run(solving(ask), saying('{"name": "Ann"}', '{"name": "Ann", "age": 3}'))
    first, second = model_events(sample)
    schema = first.config.response_schema
    assert schema is not None
    assert (schema.name, schema.strict) == ("Person", True)
    assert schema.json_schema.model_dump(exclude_none=True) == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    assert spoken(second.input)[:2] == [("user", "Who?"), ("assistant", '{"name": "Ann"}')]
    assert "age" in second.input[2].text
    [response] = found
    assert response.parsed == Person(name="Ann", age=3)
    assert response.usage == Usage(input_tokens=2, output_tokens=2)
    assert response.wasted == Usage(input_tokens=1, output_tokens=1)


def test_a_type_that_refers_to_itself_is_explained_in_the_system_message() -> None:
    async def ask(state: TaskState, completer: InspectCompleter) -> None:
        tree = await completer.complete("A tree?", response_model=Tree)
        assert tree == Tree(name="a", children=[Tree(name="b")])

    sample = run(solving(ask), saying('{"name": "a", "children": [{"name": "b"}]}'))
    [event] = model_events(sample)
    assert (sample.error, event.config.response_schema) == (None, None)
    assert event.input[0].role == "system"
    assert '"$ref": "#/$defs/Tree"' in event.input[0].text


def test_a_tool_whose_parameters_refer_to_one_another_is_written_out() -> None:
    def plant(tree: Tree, near: Person, kind: Literal["oak"] = "oak") -> str:
        """Plant a tree."""
        return tree.name

    written = tool_info(Tool(plant).to_openai()).parameters.model_dump(exclude_none=True)
    assert written == {
        "type": "object",
        "properties": {
            "tree": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "default": [], "items": {}},
                },
                "required": ["name"],
            },
            "near": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                "required": ["name", "age"],
            },
            "kind": {"type": "string", "default": "oak", "enum": ["oak"]},
        },
        "required": ["tree", "near"],
        "additionalProperties": False,
    }


def test_answers_that_never_fit_raise_with_what_they_used() -> None:
    async def ask(state: TaskState, completer: InspectCompleter) -> None:
        with pytest.raises(StructuredOutputError) as caught:
            await completer.complete("Who?", response_model=Person, structured_retries=1)
        assert caught.value.usage == Usage(input_tokens=2, output_tokens=2)

    assert run(solving(ask), saying("no", "no")).error is None


def test_a_model_is_named_by_its_role_or_by_the_bare_name_of_one() -> None:
    async def ask(state: TaskState, completer: InspectCompleter) -> None:
        for model in ("role:red", "red", "role:nobody", None):
            await completer.complete("Hi", model=model)
        await InspectCompleter(role="red").complete("Hi")

    sample = run(
        solving(ask), saying("active", "active"), model_roles={"red": saying("1", "2", "3")}
    )
    told = [(event.role, event.output.completion) for event in model_events(sample)]
    assert told == [("red", "1"), ("red", "2"), (None, "active"), (None, "active"), ("red", "3")]
    assert sample.role_usage == {"red": ModelUsage(input_tokens=3, output_tokens=3, total_tokens=6)}


def test_usage_counts_the_whole_prompt_and_stop_reasons_have_our_names() -> None:
    output = ModelOutput.from_content("m", "cut", stop_reason="max_tokens")
    output.usage = ModelUsage(
        input_tokens=5,
        output_tokens=2,
        total_tokens=17,
        input_tokens_cache_read=7,
        input_tokens_cache_write=3,
        reasoning_tokens=1,
        total_cost=0.5,
    )
    response = to_response(output)
    assert response.finish_reason == "length"
    assert response.usage == Usage(
        input_tokens=15,
        output_tokens=2,
        total_tokens=17,
        input_tokens_cached=7,
        input_tokens_cache_write=3,
        reasoning_tokens=1,
        total_cost=0.5,
    )


def test_an_output_without_an_answer_is_no_answer() -> None:
    response = to_response(ModelOutput(model="m", error="overloaded"))
    assert (response.ok, response.error) == (False, "overloaded")


def test_every_call_of_a_loop_is_a_tool_event_also_one_that_cannot_be_run() -> None:
    unread = calling(("add", {}))
    unread.choices[0].message.tool_calls[0].parse_error = "no JSON"
    wrong = calling(("add", {"a": "x", "b": 1}))
    model = saying(calling(("add", {"a": 1, "b": 2}), ("nope", {})), unread, wrong, "3")
    sample = run(tool_loop([add]), model)
    calls = [line for line in outline(sample) if "call: " in line]
    assert calls[0] == "  call: 3"
    assert calls[1] == "  call: there is no tool named 'nope'; there are: add"
    assert calls[2].endswith("no JSON")
    assert calls[3].startswith("  call: the arguments do not fit")
    assert len(calls) == 4
    assert outline(sample)[:6] == [
        "solver flashlite/tool_loop",
        "  model: calls",
        "  tool add",
        "  call: 3",
        "  tool nope",
        "  call: there is no tool named 'nope'; there are: add",
    ]
    assert [message.id for message in sample.messages] == [
        message.id for message in model_events(sample)[-1].input
    ] + [sample.output.message.id]


def test_a_tool_that_raises_is_told_to_the_model_and_the_sample_goes_on() -> None:
    def broken() -> str:
        """Break."""
        raise RuntimeError("out of order")

    sample = run(tool_loop([broken]), saying(calling(("broken", {})), "I see."))
    assert sample.error is None
    assert spoken(sample.messages)[-1] == ("assistant", "I see.")
    error = sample.messages[2].error  # type: ignore[union-attr]
    assert (error.type, error.message) == ("unknown", "RuntimeError: out of order")


def _limited() -> str:
    """Spend it all."""
    raise LimitExceededError("custom", value=2, limit=1, message="spent")


async def _by_loop(state: TaskState, completer: InspectCompleter) -> None:
    await run_tool_loop(completer, "Hi", completer.tools([_limited]))


async def _by_plain_tools(state: TaskState, completer: InspectCompleter) -> None:
    await run_tool_loop(completer, "Hi", [_limited])


async def _by_agent(state: TaskState, completer: InspectCompleter) -> None:
    await Agent(client=completer, tools=completer.tools([_limited])).run("Hi")


@pytest.mark.parametrize("step", [_by_loop, _by_plain_tools, _by_agent])
def test_a_limit_that_is_reached_inside_a_tool_ends_the_sample(step: Any) -> None:
    sample = run(solving(step), saying(calling(("_limited", {})), "never"))
    assert sample.limit is not None
    assert (sample.limit.type, sample.error) == ("custom", None)
    assert len(model_events(sample)) == 1


@pytest.mark.parametrize(
    ("limits", "kind", "asked"),
    [({"message_limit": 4}, "message", 2), ({"token_limit": 3}, "token", 2)],
)
def test_inspects_limits_hold_inside_a_loop_and_what_was_said_is_kept(
    limits: dict[str, int], kind: str, asked: int
) -> None:
    calls = [calling(("add", {"a": n, "b": 1})) for n in range(5)]
    sample = run(tool_loop([add]), saying(*calls), **limits)
    assert sample.limit is not None
    assert (sample.limit.type, sample.error, len(model_events(sample))) == (kind, None, asked)
    assert [message.role for message in sample.messages][:3] == ["user", "assistant", "tool"]


def test_a_sample_whose_time_is_over_cancels_the_tools_that_run() -> None:
    ended: list[str] = []

    async def wait() -> str:
        """Wait for ever."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return ""

    sample = run(tool_loop([wait]), saying(calling(("wait", {}))), time_limit=1)
    assert sample.limit is not None
    assert (sample.limit.type, ended) == ("time", ["cancelled"])


@approver
def end_it_all() -> Approver:
    async def approve(message: str, call: InspectToolCall, *_: Any) -> Approval:
        return Approval(decision="terminate", explanation="enough")

    return approve


def test_an_approver_may_end_the_sample() -> None:
    policies = [ApprovalPolicy(end_it_all(), "*")]
    model = saying(calling(("add", {"a": 1, "b": 2})), "never")
    sample = run(tool_loop([add]), model, approval=policies)
    assert len(model_events(sample)) == 1
    assert sample.limit is not None
    assert sample.limit.type == "operator"


@approver
def refuse_sums() -> Approver:
    async def approve(message: str, call: InspectToolCall, *_: Any) -> Approval:
        is_sum = call.function == "add"
        return Approval(decision="reject" if is_sum else "approve", explanation="no sums")

    return approve


def test_inspects_approvers_are_asked() -> None:
    policies = [ApprovalPolicy(refuse_sums(), "*")]
    model = saying(calling(("add", {"a": 1, "b": 2})), "I may not.")
    sample = run(tool_loop([add]), model, approval=policies)
    error = sample.messages[2].error  # type: ignore[union-attr]
    assert (error.type, error.message) == ("approval", "no sums")
    assert sample.output.completion == "I may not."


def test_a_result_that_is_too_long_is_cut_as_the_eval_says() -> None:
    def read() -> str:
        """Read much."""
        return "x" * 100

    sample = run(tool_loop([read]), saying(calling(("read", {})), "ok"), max_tool_output=10)
    assert "x" * 11 not in sample.messages[2].text
    assert model_events(sample)[1].input[2].text == sample.messages[2].text


@inspect_tool
def shout() -> InspectTool:
    async def execute(text: str) -> str:
        """Shout.

        Args:
            text: What to shout.
        """
        return text.upper()

    return execute


def test_inspects_tools_work_in_our_loops() -> None:
    sample = run(tool_loop([shout()]), saying(calling(("shout", {"text": "hi"})), "ok"))
    [tool] = model_events(sample)[0].tools
    assert (tool.name, tool.description, list(tool.parameters.properties)) == (
        "shout",
        "Shout.",
        ["text"],
    )
    assert sample.messages[2].text == "HI"


def _at_once(most: list[int]) -> Any:
    """Return a body for tools that notes how many of them run at once."""
    running = [0]

    async def work() -> str:
        running[0] += 1
        for _ in range(5):
            await asyncio.sleep(0)
        most.append(running[0])
        running[0] -= 1
        return "done"

    return work


@inspect_tool(parallel=False)
def one_by_one(work: Any) -> InspectTool:
    async def execute() -> str:
        """Work."""
        return str(await work())

    return execute


def test_a_tool_of_inspects_that_is_not_parallel_runs_alone_and_ours_run_together() -> None:
    alone, together = list[int](), list[int]()
    ours = Tool(_at_once(together), name="ours", description="Work.")
    calls = calling(*[("one_by_one", {}), ("ours", {})] * 2)
    sample = run(tool_loop([ours, one_by_one(_at_once(alone))]), saying(calls, "ok"))
    assert [message.text for message in sample.messages if message.role == "tool"] == ["done"] * 4
    assert (alone, max(together)) == ([1, 1], 2)


def test_our_tools_work_in_inspects_loop() -> None:
    from inspect_ai.agent import react

    model = saying(calling(("add", {"a": 1, "b": 2})), calling(("submit", {"answer": "3"})))
    sample = run(react(tools=[as_inspect_tool(add)]), model)
    results = [message.text for message in sample.messages if message.role == "tool"]
    assert results[0] == "3"
    assert sample.output.completion.endswith("3")
