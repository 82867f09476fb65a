"""Chats of several agents inside a sample."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, ModelOutput
from pydantic_core import to_json

from ..agent import Agent
from ..chat import ChatEntry, MultiAgentChat, Policy, Stop, at_random, in_turn, says
from ..chat.names import Audience
from ..errors import ConfigError
from ..inspect_logs.messages import headed
from ..inspect_logs.model_events import STOP_REASONS
from ..types import Role
from ._completer import InspectCompleter
from ._events import agent_span, keep_chat, note_decision, note_message
from ._memory import Memory, to_contents

AgentSpec: TypeAlias = Agent | Mapping[str, Any] | str
"""An agent, the arguments of one (`{"name": "Red", "system_prompt": "…"}`), or just its name."""

Protocol: TypeAlias = Callable[[Any], Awaitable[Any] | Any]
"""Runs a `SampleChat` from beginning to end; its return value is the outcome, kept as JSON."""

CRITIQUE: Sequence[AgentSpec] = (
    {
        "name": "Solver",
        "system_prompt": "You solve the task. Once the critic has spoken, give your final answer.",
    },
    {
        "name": "Critic",
        "system_prompt": "You look for what is wrong or missing in what the solver says.",
    },
)
"""The default agents: a solver, then a critic, then the solver again."""


class SampleChat(MultiAgentChat):
    """A chat inside a sample, whose models are called through Inspect and which is fully logged.

        chat = SampleChat([{"name": "Red"}, {"name": "Blue", "model": "role:blue"}])
        chat.add_message("Referee", "Begin.")
        await chat.speak("Red", visible_to="Blue")

    Each of the `agents` is a name, a dict of `Agent` arguments, or an `Agent` (one with a `client`
    raises ConfigError). An agent without a `model` uses the eval's model role with the agent's
    name, or the model under evaluation if there is no such role. In the log, every turn is an agent
    span and every message an info event; the store has the transcript (`ChatLog`). `options` are
    those of `MultiAgentChat`.
    """

    def __init__(self, agents: Iterable[AgentSpec] = (), **options: Any) -> None:
        super().__init__(on_turn=self._note, around_turn=agent_span, **options)
        for agent in agents:
            self.add_agent(inside(agent))
        keep_chat(self)

    def add_message(
        self,
        name: str,
        text: str | Sequence[Mapping[str, Any]],
        visible_to: Audience = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ChatEntry:
        """Add a message to the chat and to the log; see `MultiAgentChat.add_message`."""
        entry = super().add_message(name, text, visible_to, metadata)
        self._note(entry)
        return entry

    def public_messages(self, start: int = 0) -> list[ChatMessage]:
        """Return the public messages, from entry number `start` on, as Inspect's messages.

            state.messages = chat.public_messages()

        Private messages are only in the store, so that whoever reads the messages of a sample,
        such as a judge or the next solver, does not see them.
        """
        entries = [entry for entry in self.transcript[start:] if entry.visible_to is None]
        return [_message(entry) for entry in entries]

    def _note(self, entry: ChatEntry) -> None:
        note_message(entry)
        keep_chat(self)


def inside(spec: AgentSpec) -> Agent:
    """Return an agent that acts in the running sample; the given one is not changed."""
    if isinstance(spec, str):
        spec = {"name": spec}
    agent = Agent(**spec) if isinstance(spec, Mapping) else spec.fork()
    if agent.client is not None:
        raise ConfigError(f"{agent.name} is asked through Inspect in an eval: leave client out")
    completer = InspectCompleter(role=agent.name)
    agent.client, agent.tools = completer, completer.tools(agent.tools)
    return agent


async def held(
    chat: SampleChat,
    *,
    protocol: Protocol | None,
    policy: Policy | str | None,
    turns: int,
    stop: Stop | str | None,
) -> Any:
    """Run a chat by its protocol, or let the agents take turns; return the outcome."""
    if protocol is not None:
        outcome = protocol(chat)
        outcome = await outcome if isawaitable(outcome) else outcome
        if outcome is not None:
            note_decision("protocol", outcome)
        keep_chat(chat, outcome)
        return outcome
    stop = says(stop) if isinstance(stop, str) else stop
    await chat.run(_policy(policy), max_turns=checked_turns(turns), stop=stop)
    return None


def checked_turns(turns: int) -> int:
    """Return a number of turns; raises ConfigError if it is less than 1."""
    if turns < 1:
        raise ConfigError(f"turns is at least 1; got {turns}")
    return turns


def opened(chat: SampleChat, messages: Sequence[ChatMessage], moderator: str) -> int:
    """Add the sample's input to a chat as the moderator's messages; return the entry count."""
    for message in Memory().adopt(messages):
        if not message.content or message.role not in (Role.SYSTEM, Role.USER, Role.ASSISTANT):
            continue
        chat.add_message(moderator, message.content)
    return len(chat.transcript)


def answer_of(chat: SampleChat, answers: str | None, outcome: Any) -> ModelOutput | None:
    """Return the result of a chat: its outcome as text or JSON, or else the last public turn."""
    turns = [entry for entry in chat.transcript if entry.is_turn and entry.visible_to is None]
    said = [entry for entry in turns if answers in (None, entry.author)]
    last = said[-1] if said else None
    model = (last.model if last else None) or ""
    if outcome is not None:
        text = outcome if isinstance(outcome, str) else to_json(outcome, fallback=str).decode()
        return ModelOutput.from_content(model, text)
    if last is None:
        return None
    reason = STOP_REASONS.get(last.finish_reason or "", "stop")
    return ModelOutput.from_content(model, last.text, stop_reason=reason)


def _policy(policy: Policy | str | None) -> Policy:
    """Return a policy from its command-line form: `in_turn`, `random` or `random:<seed>`."""
    if policy is None or policy == "in_turn":
        return in_turn
    if not isinstance(policy, str):
        return policy
    name, _, seed = policy.partition(":")
    if name != "random":
        raise ConfigError(f"a policy is in_turn, random or random:<seed>; got {policy!r:.80}")
    return at_random(seed or 0)


def _message(entry: ChatEntry) -> ChatMessage:
    content, metadata = to_contents(headed(entry.content, entry.author)), {"from": entry.author}
    if not entry.is_turn:
        return ChatMessageUser(content=content, metadata=metadata)
    return ChatMessageAssistant(
        content=content, model=entry.model, source="generate", metadata=metadata
    )
