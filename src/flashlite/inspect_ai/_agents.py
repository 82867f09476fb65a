"""Inspect agents that run flashlite's agents: usable as a solver, as a tool and for handoff."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from inspect_ai.agent import Agent as TheirAgent
from inspect_ai.agent import AgentState, agent

from ..agent import Agent, AgentConfig
from ..chat import Policy, Stop
from ..conversation import Conversation
from ._chats import (
    CRITIQUE,
    AgentSpec,
    Protocol,
    SampleChat,
    answer_of,
    held,
    opened,
)
from ._completer import InspectCompleter
from ._states import handed_back, replace_messages, taken_up
from ._tool_bridge import ENDING
from ._types import Shape, type_of


@agent
def flashlite_agent(
    *,
    system_prompt: str | None = None,
    tools: Sequence[Any] = (),
    model: str | None = None,
    role: str | None = None,
    response_model: Shape | None = None,
    max_turns: int | None = None,
    config: AgentConfig | None = None,
    options: dict[str, Any] | None = None,
) -> TheirAgent:
    """Run flashlite's `Agent`: a model that calls tools until it has an answer.

        Task(dataset, solver=flashlite_agent(system_prompt="You are terse.", tools=[search]))
        use_tools(as_tool(flashlite_agent(tools=[search]), description="Looks things up."))
        use_tools(handoff(flashlite_agent(tools=[search]), description="A researcher."))

    `tools` are flashlite tools, plain functions or Inspect tools. It asks the eval's model for
    `role`, else `model` (a name or `role:<name>`), else the model under evaluation. `config` has
    further settings, `options` call options such as `{"temperature": 0}`. With a `response_model`
    (a type or `package.module:Name`) the output is JSON that fits, else, without an error, the last
    answer.
    """

    async def execute(state: AgentState) -> AgentState:
        """Work on what was said until there is an answer."""
        completer = InspectCompleter(model, role=role)
        conversation = taken_up(state, completer, system_prompt=system_prompt)
        offered = completer.tools(tools)
        given: dict[str, Any] = {"config": config, "max_turns": max_turns, "tools": offered}
        ours = Agent(conversation=conversation, client=completer, **given, **(options or {}))
        with (
            handed_back(state, completer, conversation),
            keeping_last_answer(completer, conversation),
        ):
            await ours.run(response_model=type_of(response_model))
        return state

    return execute


@agent
def multi_agent_chat(
    agents: Sequence[AgentSpec] = CRITIQUE,
    *,
    protocol: Protocol | None = None,
    policy: Policy | str | None = None,
    turns: int = 3,
    stop: Stop | str | None = None,
    answers: str | None = None,
    moderator: str = "Moderator",
    options: dict[str, Any] | None = None,
) -> TheirAgent:
    """Let several agents discuss the input: flashlite's `MultiAgentChat`.

        async def sealed_bids(chat: SampleChat) -> list[Bid]:
            return await chat.simultaneous(response_model=Bid, visible_to=())

        Task(dataset, solver=multi_agent_chat(["Ann", "Bob"], protocol=sealed_bids))

    The input is added to the chat as a message from `moderator`. A `protocol` function runs the
    chat; without one, a `policy` (a function, "in_turn", "random" or "random:<seed>") picks the
    next speaker, for at most `turns` turns, until `stop` (a phrase, or a function of the chat). For
    `agents` and `options` see `SampleChat`. The state's messages are the public ones; private ones
    are in the store (`ChatLog`). The output is what the protocol returned, as text or JSON; if that
    is None, it is the last public turn, or the last one by the agent that `answers` names.
    """

    async def execute(state: AgentState) -> AgentState:
        """Talk about the input, and answer it."""
        chat = SampleChat(agents, **(options or {}))
        before, given = list(state.messages), opened(chat, state.messages, moderator)
        outcome = None
        try:
            outcome = await held(chat, protocol=protocol, policy=policy, turns=turns, stop=stop)
        finally:
            if output := answer_of(chat, answers, outcome):
                state.output = output
            replace_messages(state, [*before, *chat.public_messages(given)])
        return state

    return execute


_LIMITS: tuple[type[BaseException], ...] = (*ENDING, CancelledError)


@contextmanager
def keeping_last_answer(completer: InspectCompleter, conversation: Conversation) -> Iterator[None]:
    """Keep the last answer, even an unfit one, if a limit or a cancellation ends the block."""
    try:
        yield
    except _LIMITS:
        output, known = completer.output, completer.memory.recall(conversation.messages)
        if output is not None and output.choices and output.message not in known:
            conversation.extend(completer.memory.adopt([output.message]))
        raise
