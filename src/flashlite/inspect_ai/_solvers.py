"""Inspect solvers that run flashlite's conversations, tool loops, agents and templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.agent import AgentState
from inspect_ai.solver import Generate, Solver, TaskState, solver

from ..agent import Agent
from ..chat import Policy, Stop
from ..conversation import Conversation
from ..templating import Templates
from ..tools import run_tool_loop
from ._agents import keeping_last_answer, multi_agent_chat
from ._chats import CRITIQUE, AgentSpec, Protocol, checked_turns, inside
from ._completer import InspectCompleter
from ._events import agent_span
from ._states import handed_back, taken_up
from ._tools import to_tool_choice
from ._types import Shape, type_of


@solver
def structured(
    response_model: Shape,
    *,
    model: str | None = None,
    retries: int = 2,
    options: dict[str, Any] | None = None,
) -> Solver:
    """Ask for an answer of a type, and ask again while the answer does not fit.

        class Person(BaseModel):
            name: str
            age: int

        Task(dataset, solver=structured(Person), scorer=schema_match(Person))

    `response_model` is a Pydantic model, any other type, or a string `package.module:Name` (for
    `--solver flashlite/structured -S response_model=…`). The output is the last answer, as the
    model wrote it. If none of the `1 + retries` answers fits, no error is raised, so that a scorer
    judges the last one. `flashlite.schema.validate(Person, state.output.completion)` returns the
    instance, even if there is text around the JSON, and raises InvalidAnswer if nothing fits.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        completer = InspectCompleter(model)
        conversation = taken_up(state, completer, options=options)
        with (
            handed_back(state, completer, conversation),
            keeping_last_answer(completer, conversation),
        ):
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
    """Run flashlite's `run_tool_loop`: the model calls tools until it answers without a call.

        Task(dataset, solver=[system_message("Use the tools."), tool_loop([search, calculate])])

    `tools` are flashlite tools, plain functions or Inspect tools; those of `use_tools()` are added,
    and its `tool_choice` applies (a forced call only once). At most `max_iterations` rounds of
    calls are run; the output is the last answer. `options` are those of `run_tool_loop` or a call.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        completer = InspectCompleter(model)
        offered = completer.tools([*tools, *state.tools])
        conversation = taken_up(state, completer)
        choice = to_tool_choice(state.tool_choice or "auto")
        with handed_back(state, completer, conversation), _Kept(conversation):
            result = await run_tool_loop(
                completer,
                conversation.messages,
                offered,
                max_iterations=max_iterations,
                **{"tool_choice": choice, **(options or {})},
            )
            conversation.extend(result.messages[len(conversation) :])
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
    """Talk with the model as a user would, from a script or by a model that plays the user.

        Task(dataset, solver=converse(["And in French?", "Thanks, and in Latin?"]))

        customer = {"name": "user", "system_prompt": "You want a refund. Say BYE when you have it."}
        Task(dataset, solver=converse(customer, turns=8, until="BYE"))

    The sample's input is the user's first message. `user` is a list of the next ones, or an agent
    that writes them: it reads the model's answers as its own user messages, and its model is chosen
    as in `SampleChat` (above by the role "user"). The conversation ends after `turns` answers, at
    the end of the list, or when a user message contains `until`; that message is not answered.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        completer, player = InspectCompleter(model), _player(user)
        conversation = taken_up(state, completer, system_prompt=system_prompt)
        last = conversation.iteration + checked_turns(turns)
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
    """Let several agents discuss the input; see `multi_agent_chat`.

        inspect eval task.py --solver flashlite/multi_agent -S turns=5 --model-role critic=…

        Task(dataset, solver=multi_agent(["Red", "Blue"], turns=4), scorer=transcript_judge(Rubric))

    Without `agents`, a solver and a critic talk; with the default 3 turns the solver goes last.
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
    """Render a Jinja template and make the result the sample's prompt.

        Task(dataset, solver=[prompt_template("{{ prompt }}\\nThink of {{ topic }}."), generate()])

    `template` is the template's text; the filters of `Templates` are available. It may use `prompt`
    (the text that it replaces), `choices` (a list of texts), each field of the sample's metadata by
    its name, and `variables`. If names collide, `variables` override `prompt` and `choices`, which
    override metadata. An undefined name raises ConfigError.
    """
    templates = Templates()
    templates.register("prompt", template)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        prompt = state.user_prompt
        given = {"choices": [choice.value for choice in state.choices], "prompt": prompt.text}
        prompt.text = templates.render("prompt", {**state.metadata, **given, **variables})
        return state

    return solve


class _Kept:
    """Adds what an error says in `messages`, the history of a tool loop, to a conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        known = len(self._conversation)
        self._conversation.extend(getattr(error, "messages", ())[known:])


class _Script:
    """A user whose messages are given in advance."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = iter(lines)

    async def say(self, conversation: Conversation) -> str | None:
        return next(self._lines, None)


class _Player:
    """A user played by a model, which reads the conversation from the user's side."""

    def __init__(self, agent: Agent) -> None:
        self._agent, self._heard = agent, 0

    async def say(self, conversation: Conversation) -> str | None:
        new = conversation.messages[self._heard :]
        self._heard = len(conversation.messages) + 1  # skip the message that it says now
        heard = [message.text for message in new if message["role"] in ("user", "assistant")]
        async with agent_span(self._agent.name or "user"):
            return await self._agent.chat("\n\n".join(heard))


def _player(user: Sequence[str] | AgentSpec) -> _Script | _Player:
    if isinstance(user, str | Mapping | Agent):
        return _Player(inside(user))
    return _Script(user)
