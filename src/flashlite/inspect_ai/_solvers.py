"""Solvers of Inspect's that are flashlite's primitives inside."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.agent import AgentState
from inspect_ai.solver import Generate, Solver, TaskState, solver

from ..agent import Agent
from ..chat import Policy, Stop
from ..conversation import Conversation
from ..errors import FlashliteError
from ..templating import Templates
from ..tools import run_tool_loop
from ..types import Message
from ._agents import multi_agent_chat
from ._chats import CRITIQUE, AgentSpec, Protocol, inside
from ._completer import InspectCompleter
from ._events import agent_span
from ._states import handed_back, taken_up
from ._tool_bridge import ENDING
from ._types import Shape, type_of


@solver
def structured(
    response_model: Shape,
    *,
    model: str | None = None,
    retries: int = 2,
    options: dict[str, Any] | None = None,
) -> Solver:
    """Ask once for an answer of a shape, and again where it does not fit.

        class Person(BaseModel):
            name: str
            age: int

        Task(dataset, solver=structured(Person), scorer=schema_match(Person))

    `response_model` is a Pydantic model or any other type, or `package.module:Name` (as with
    `--solver flashlite/structured -S response_model=…`). The output is the last answer as the model
    wrote it, also where none of `1 + retries` fits, for a scorer to judge: the instance in it, with
    or without text around it, is `flashlite.schema.validate(Person, state.output.completion)`.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        completer = InspectCompleter(model)
        conversation = taken_up(state, completer, options=options)
        with handed_back(state, completer, conversation):
            await conversation.ask(
                response_model=type_of(response_model), structured_retries=retries
            )
        return state

    return solve


@solver
def tool_loop(
    tools: Sequence[Any] = (),
    *,
    model: str | None = None,
    max_iterations: int = 10,
    options: dict[str, Any] | None = None,
) -> Solver:
    """Let the model call tools until it answers without a call: flashlite's `run_tool_loop`.

        Task(dataset, solver=[system_message("Use the tools."), tool_loop([search, calculate])])

    `tools` are ours, plain functions, or Inspect's; those of `use_tools()` are there too. `options`
    are those of `run_tool_loop` and call options.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        completer = InspectCompleter(model)
        offered = completer.tools([*tools, *state.tools])
        conversation = taken_up(state, completer)
        messages: Sequence[Message] = ()
        with handed_back(state, completer, conversation):
            try:
                result = await run_tool_loop(
                    completer,
                    conversation.messages,
                    offered,
                    max_iterations=max_iterations,
                    **(options or {}),
                )
                messages = result.messages
            except _KEPT as error:
                messages = getattr(error, "messages", ())
                raise
            finally:
                conversation.extend(messages[len(conversation) :])
        return state

    return solve


@solver
def converse(
    user: Sequence[str] | AgentSpec,
    *,
    turns: int = 5,
    until: str | None = None,
    system_prompt: str | None = None,
    model: str | None = None,
) -> Solver:
    """Talk with the model as a user would: by a script, or by a model that plays one.

        Task(dataset, solver=converse(["And in French?", "Thanks, and in Latin?"]))

        customer = {"name": "user", "system_prompt": "You want a refund. Say BYE when you have it."}
        Task(dataset, solver=converse(customer, turns=8, until="BYE"))

    The sample's input is what is said first. A list is a script; an agent is asked of the model
    role of its name ("user" above) where the eval has one, and reads the conversation from the
    other side. It ends after `turns` answers, after the script, or when a user says `until`.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        completer, player = InspectCompleter(model), _player(user)
        conversation = taken_up(state, completer, system_prompt=system_prompt)
        last = conversation.iteration + turns
        with handed_back(state, completer, conversation):
            await conversation.ask()
            while conversation.iteration < last:
                if (said := await player.say(conversation)) is None:
                    break
                conversation.add_user(said)
                if until is not None and until in said:
                    break
                await conversation.ask()
        return state

    return solve


@solver
def multi_agent(
    agents: Sequence[AgentSpec] = CRITIQUE,
    *,
    protocol: Protocol | None = None,
    policy: Policy | str | None = None,
    turns: int = 3,
    stop: Stop | str | None = None,
    answers: str | None = None,
    moderator: str = "Moderator",
    options: dict[str, Any] | None = None,
) -> Solver:
    """Let several agents talk about the input; see `multi_agent_chat`.

        inspect eval task.py --solver flashlite/multi_agent -S turns=5 --model-role critic=…

        Task(dataset, solver=multi_agent(["Red", "Blue"], turns=4), scorer=transcript_judge(Rubric))

    Without `agents`, a solver and a critic talk, and the solver has the last word.
    """
    act = multi_agent_chat(
        agents,
        protocol=protocol,
        policy=policy,
        turns=turns,
        stop=stop,
        answers=answers,
        moderator=moderator,
        options=options,
    )

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        inner = AgentState(messages=state.messages)
        try:
            inner = await act(inner)
        finally:
            state.messages, state.output = inner.messages, inner.output
        return state

    return solve


@solver
def prompt_template(template: str, **variables: Any) -> Solver:
    """Fill in a Jinja template and make it the sample's prompt.

        Task(dataset, solver=[prompt_template("{{ prompt }}\\nThink of {{ topic }}."), generate()])

    There are `prompt` (the text it replaces), the `metadata` of the sample by name, `choices`,
    and these `variables`, which go first. A `template` is a text; filters are those of `Templates`.
    What is undefined is an error.
    """
    templates = Templates()
    templates.register("prompt", template)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        prompt = state.user_prompt
        given = {"choices": [choice.value for choice in state.choices], "prompt": prompt.text}
        prompt.text = templates.render("prompt", {**state.metadata, **given, **variables})
        return state

    return solve


class _Script:
    """A user who says what was written down."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = iter(lines)

    async def say(self, conversation: Conversation) -> str | None:
        return next(self._lines, None)


class _Player:
    """A user whom a model plays, who reads the conversation from the other side."""

    def __init__(self, agent: Agent) -> None:
        self._agent, self._heard = agent, 0

    async def say(self, conversation: Conversation) -> str | None:
        new = conversation.messages[self._heard :]
        self._heard = len(conversation.messages) + 1  # what is said now is no news to who says it
        heard = [message.text for message in new if message["role"] in ("user", "assistant")]
        async with agent_span(self._agent.name or "user"):
            return await self._agent.chat("\n\n".join(heard))


def _player(user: Sequence[str] | AgentSpec) -> _Script | _Player:
    if isinstance(user, str | Mapping | Agent):
        return _Player(inside(user))
    return _Script(user)


# What a loop raises with its history in it.
_KEPT: tuple[type[BaseException], ...] = (FlashliteError, CancelledError, *ENDING)
