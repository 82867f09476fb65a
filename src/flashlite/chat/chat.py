"""A chat of several agents that take turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from copy import copy, deepcopy
from inspect import isawaitable
from typing import Any, Self, TypeVar, overload

from ..agent import Agent
from ..conversation import Summary
from ..conversation.arguments import check_client, check_count, check_options
from ..errors import ConfigError
from ..saved import options_in
from ..streaming.around import Around, inside
from ..templating import Templates
from ..tools import ToolRegistry
from ..tools.calls import tell
from ..tools.loop import Tools, fatal_of
from ..types import Completer, CompletionResponse
from .names import Audience, readers
from .policies import Policy, Stop, check_ends, in_turn
from .prompt import INTRODUCTION
from .room import Room
from .state import ChatState, Source, read_state
from .transcript import ChatEntry
from .turn import Turn, failure_of, run_agent, taken_in, turn_of
from .views import Cue

T = TypeVar("T")


class MultiAgentChat(Room):
    """A chat between agents, and anybody else who adds a message.

        chat = MultiAgentChat(client)
        chat.add_agent(Agent(name="Optimist", system_prompt="You see the positive side."))
        chat.add_message("Moderator", "Will AI help or hurt jobs?")
        print(await chat.speak("Optimist"))

    The transcript has everything that was said. Each agent reads what is addressed to everybody or
    to it (`views.py` describes the format, and its guarantees against agents that lie about who
    said what); nobody else sees a private message. An agent's tool calls and their results are
    visible only to itself; with `share_tools`, everybody who reads its answer sees them too. A turn
    that fails or is cancelled leaves the chat unchanged.

    A turn uses the agent's own client, or else `client`, which is any `Completer`; the agent's
    `model` and options override those of the chat. `options` are call options for every turn;
    `max_iterations`, the number of rounds of tool calls in a turn, overrides the agents' configs.
    An agent's own memory is not used and does not change.

    A system prompt may be a template with `name`, `others` (a list), `turn` (the number of the
    agent's turn, from 1) and the chat's `variables`; so may the `introduction` that follows it, ""
    for none. `on_turn` is called with each entry that a turn adds, the attribute `on_message` with
    each that `add_message` adds; `around_turn` is called with an agent's name and returns an async
    context manager for its turn. The attribute `around`, if set, is called for each `run` and
    returns a context manager for all of it, including what its policy asks.
    """

    def __init__(
        self,
        client: Completer | None = None,
        agents: Iterable[Agent] = (),
        *,
        model: str | None = None,
        max_iterations: int | None = None,
        introduction: str = INTRODUCTION,
        variables: Mapping[str, Any] | None = None,
        templates: Templates | None = None,
        share_tools: bool = False,
        on_turn: Callable[[ChatEntry], Any] | None = None,
        around_turn: Callable[[str], AbstractAsyncContextManager[Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        check_client(client, "; agents are the second argument: MultiAgentChat(client, agents)")
        check_options(options, MultiAgentChat, _OTHER_NAMES)
        if max_iterations is not None:
            check_count("max_iterations", max_iterations, 0)
        super().__init__(
            agents,
            introduction=introduction,
            variables=variables,
            templates=templates,
            share_tools=share_tools,
            metadata=metadata,
        )
        self.client, self.model, self.options = client, model, options
        self.max_iterations = max_iterations
        self.on_turn, self.around_turn = on_turn, around_turn
        self.around: Around | None = None
        self._summaries: dict[str | None, Summary | None] = {}

    @overload
    async def speak(self, name: str, *, response_model: type[T], **options: Any) -> T: ...

    @overload
    async def speak(self, name: str, *, response_model: None = ..., **options: Any) -> str: ...

    async def speak(self, name: str, **options: Any) -> Any:
        """Let an agent take a turn, and return what it says.

        With a `response_model`, return the instance; the transcript has the model's JSON. If
        `visible_to` is given, only these names and the agent itself read the turn.
        `additional_context` is shown to the agent in this turn only, `metadata` is kept with the
        entry, and other options go to `Agent.run`.
        """
        return (await self._spoken(name, **options)).value

    async def ask(self, name: str, **options: Any) -> CompletionResponse:
        """Do what `speak` does, but return the model's last response."""
        return (await self._spoken(name, **options)).response

    async def speak_sequence(self, names: Iterable[str], **options: Any) -> list[Any]:
        """Let agents speak one after the other, and return what they say."""
        return [await self.speak(name, **options) for name in self._known(names)]

    async def round_robin(
        self, rounds: int = 1, names: Iterable[str] | None = None, **options: Any
    ) -> list[Any]:
        """Let all agents speak in the order in which they joined, or the agents in `names`."""
        check_count("rounds", rounds, 0)
        order = self._require_agents() if names is None else self._known(names)
        return await self.speak_sequence(order * rounds, **options)

    async def simultaneous(
        self,
        names: Iterable[str] | None = None,
        *,
        answered: Mapping[int, Turn] | None = None,
        **options: Any,
    ) -> list[Any]:
        """Let agents speak at once, without reading each other, and return what they say in order.

        Either all turns of the round are kept or none. If a turn fails, the others finish, and the
        failure is raised with them in its `answers`, by position. To retry without paying for them
        again, call `simultaneous(names, answered=error.answers)`. If the round is cancelled, the
        CancelledError has the finished turns in the same way.
        """
        order = self._require_agents() if names is None else self._known(names)
        known = answered or {}
        if len(set(order)) < len(order):
            raise ConfigError(f"who speaks at once speaks once; got {', '.join(order)}")
        tasks = {
            place: asyncio.ensure_future(self._turn(order[place], **options))
            for place in range(len(order))
            if place not in known
        }
        try:
            taken = await asyncio.gather(*tasks.values(), return_exceptions=True)
        except asyncio.CancelledError as error:  # all tasks have ended by now
            error.answers = {**known, **taken_in(tasks)}  # type: ignore[attr-defined]
            raise
        every: dict[int, Any] = {**known, **dict(zip(tasks, taken, strict=True))}
        turns = [every[place] for place in range(len(order))]
        if failure := failure_of(turns):
            raise failure
        await self._keep(turns)
        return [turn.value for turn in turns]

    async def run(
        self,
        policy: Policy | None = None,
        *,
        max_turns: int | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> list[Any]:
        """Let the agents speak until the chat ends, and return what they say.

        A `policy` decides who speaks next (see `policies.py`); without one, the agents take turns.
        The chat ends after `max_turns` turns of this run (a parallel round is always finished),
        when `stop`, which is called before every turn, returns true, or when the policy returns
        None.
        """
        if policy is None and max_turns is None and stop is None:
            raise ConfigError("say when the chat ends: run(max_turns=...) or run(stop=...)")
        check_ends(policy, stop)
        if max_turns is not None:
            check_count("max_turns", max_turns, 0)
        with inside(self.around):
            return await self._run(policy or in_turn, max_turns, stop, options)

    def fork(self) -> Self:
        """Return an independent copy of the chat."""
        other = copy(self)
        other._agents = {name: agent.fork() for name, agent in self._agents.items()}
        other._entries, other._summaries = deepcopy(self._entries), dict(self._summaries)
        other.options, other.variables = dict(self.options), deepcopy(self.variables)
        other.metadata = deepcopy(self.metadata)
        return other

    def save(self, path: str | os.PathLike[str] | None = None) -> ChatState:
        """Return the state of the chat, and write it to a file if a `path` is given.

        Clients, callbacks, the code of tools, keys and headers are not saved.
        """
        state = ChatState(
            agents=[agent.to_dict() for agent in self._agents.values()],
            entries=[deepcopy(entry.to_dict()) for entry in self._entries],
            model=self.model,
            max_iterations=self.max_iterations,
            options=options_in(self.options),
            introduction=self.introduction,
            variables=deepcopy(self.variables),
            share_tools=self.share_tools,
            metadata=deepcopy(self.metadata),
        )
        if path is not None:
            state.write(path)
        return state

    @classmethod
    def load(
        cls,
        source: Source | ChatState,
        *,
        client: Completer | None = None,
        tools: Tools = (),
        **given: Any,
    ) -> Self:
        """Read what `save()` returned or wrote; the arguments `given` override those saved.

        Raises ConfigError if the agents had tools that are not among `tools`.
        """
        state = read_state(source)
        saved: dict[str, Any] = {
            "model": state.model,
            "max_iterations": state.max_iterations,
            "introduction": state.introduction,
            "variables": deepcopy(state.variables),
            "share_tools": state.share_tools,
            "metadata": deepcopy(state.metadata),
        }
        registry = ToolRegistry.of(tools)
        state.check_tools(registry.names)
        agents = [
            Agent.from_dict(agent, tools=[one for one in registry if one.name in agent["tools"]])
            for agent in state.agents
        ]
        chat = cls(client, agents, **{**saved, **state.options, **given})
        chat._entries = [ChatEntry.from_dict(deepcopy(entry)) for entry in state.entries]
        return chat

    async def _run(
        self, policy: Policy, most: int | None, stop: Stop | None, options: Mapping[str, Any]
    ) -> list[Any]:
        said: list[Any] = []
        while most is None or len(said) < most:
            if stop is not None and await _settled(stop(self)):
                break
            speakers = await _settled(policy(self))
            if not speakers:
                break
            if isinstance(speakers, str):
                said.append(await self.speak(speakers, **options))
            else:
                said += await self.simultaneous(speakers, **options)
        return said

    async def _spoken(self, name: str, **options: Any) -> Turn:
        turn = await self._turn(name, **options)
        await self._keep([turn])
        return turn

    async def _turn(
        self,
        name: str,
        *,
        visible_to: Audience = None,
        additional_context: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        response_model: type[Any] | None = None,
        **options: Any,
    ) -> Turn:
        """Take a turn without adding it to the transcript; all turns are taken here."""
        (name,) = self._known([name])
        agent, client = self._agents[name], self._client_of(name)
        if client is None:
            raise ConfigError(f"{name} has nobody to ask: MultiAgentChat(client)")
        given = {"max_iterations": self.max_iterations, **self.options, **agent.options, **options}
        cue = Cue(readers(visible_to, self._names()), additional_context)
        seen, messages = len(self._entries), self._request(name, cue)
        async with self.around_turn(name) if self.around_turn else nullcontext():
            result = await run_agent(
                agent,
                client,
                messages,
                model=self.model,
                response_model=response_model,
                max_iterations=given.pop("max_iterations"),
                options=given,
                summaries=self._summaries,
            )
        return turn_of(name, result, len(messages), cue, seen, metadata or {})

    async def _keep(self, turns: Sequence[Turn]) -> None:
        self._entries += [turn.entry for turn in turns]
        for turn in turns:
            fatal = fatal_of(self._client_of(turn.entry.author))
            await tell(self.on_turn, turn.entry, fatal=fatal)

    def _client_of(self, name: str) -> Completer | None:
        own = self._agents[name].client
        return self.client if own is None else own


_OTHER_NAMES = {
    **dict.fromkeys(("max_rounds", "rounds"), "write chat.round_robin(rounds)"),
    **dict.fromkeys(
        ("system", "system_prompt", "system_message", "instructions"),
        "write Agent(system_prompt=...) for one agent, introduction=... for all",
    ),
    **dict.fromkeys(("policy", "stop_condition"), "write chat.run(policy, stop=...)"),
    "response_model": "it is for one turn: speak(..., response_model=...)",
}


async def _settled(answer: Any) -> Any:
    return await answer if isawaitable(answer) else answer
