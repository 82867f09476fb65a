"""Agents and the transcript of what they said, as each of them reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from ..agent import Agent
from ..errors import ConfigError
from ..templating import Templates
from ..types import Message
from .names import Audience, checked_name, readers
from .prompt import INTRODUCTION, system_messages
from .transcript import AgentStats, ChatEntry
from .views import Cue, check_parts, formatted, view_of


class Room:
    """Agents and a transcript: the part of a chat that needs no model."""

    def __init__(
        self,
        agents: Iterable[Agent] = (),
        *,
        introduction: str = INTRODUCTION,
        variables: Mapping[str, Any] | None = None,
        templates: Templates | None = None,
        share_tools: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.introduction, self.variables = introduction, dict(variables or {})
        self.share_tools, self.metadata = share_tools, dict(metadata or {})
        self.on_message: Callable[[ChatEntry], Any] | None = None
        self._templates = templates or Templates()
        self._agents: dict[str, Agent] = {}
        self._entries: list[ChatEntry] = []
        for agent in agents:
            self.add_agent(agent)

    @property
    def agents(self) -> dict[str, Agent]:
        """The agents by name, in the order in which they joined."""
        return dict(self._agents)

    @property
    def transcript(self) -> list[ChatEntry]:
        """All entries, including private ones."""
        return list(self._entries)

    @property
    def stats(self) -> dict[str, AgentStats]:
        """The turns, tool calls, tokens and dollars of each agent in the transcript."""
        return {name: AgentStats.of(self._entries_of(name)) for name in self._agents}

    def add_agent(self, agent: Agent) -> None:
        """Add an agent; it can read everything said to everybody before it joined."""
        if not isinstance(agent, Agent):
            raise ConfigError(f"an agent is Agent(...); got {agent!r:.80}")
        name = checked_name(agent.name, self._names())
        if name in self._agents:
            raise ConfigError(f"there is an agent named {name!r} already")
        self._agents[name] = agent

    def add_message(
        self,
        name: str,
        text: str | Sequence[Mapping[str, Any]],
        visible_to: Audience = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ChatEntry:
        """Add a message from anybody: a moderator, a person, or an agent without asking its model.

        `text` may be a list of parts. `visible_to` names who may read it beside its author: agents,
        or others who have said something already. Raises ConfigError for any other name.
        """
        if not text or isinstance(text, Mapping):
            raise ConfigError(f"a message is a text or a list of parts; got {text!r:.80}")
        content = Message.from_dict({"role": "user", "content": text})["content"]
        check_parts(content)
        entry = ChatEntry(
            author=checked_name(name, self._names()),
            content=content,
            visible_to=readers(visible_to, self._names()),
            seen=len(self._entries),
            metadata=deepcopy(dict(metadata or {})),
        )
        self._entries.append(entry)
        if self.on_message is not None:
            self.on_message(entry)
        return entry

    def get_messages_for(self, name: str) -> list[Message]:
        """Return what an agent would be sent on its turn, or what anybody else may read."""
        if name in self._agents:
            return self._request(name, Cue())
        return view_of(self._entries, name, share_tools=self.share_tools)

    def format_transcript(self, viewer: str | None = None) -> str:
        """Return the transcript as text: all of it, or what `viewer` may read."""
        return formatted(self._entries, viewer, share_tools=self.share_tools)

    def clear(self) -> None:
        """Delete all entries; the agents stay."""
        self._entries.clear()

    def rewind(self, turns: int = 1) -> list[ChatEntry]:
        """Remove the last turns and all messages after the first of them; return what was removed.

        A parallel round counts as one turn for each speaker.
        """
        places = [place for place, entry in enumerate(self._entries) if entry.is_turn]
        if not 0 <= turns <= len(places):
            raise ConfigError(f"there are {len(places)} turns to take back; got {turns}")
        start = places[-turns] if turns else len(self._entries)
        gone = self._entries[start:]
        del self._entries[start:]
        return gone

    def _request(self, name: str, cue: Cue) -> list[Message]:
        view = view_of(self._entries, name, cue, share_tools=self.share_tools)
        return [*self._system(name), *view]

    def _system(self, name: str) -> list[Message]:
        variables = {
            **self.variables,
            "name": name,
            "others": [other for other in self._agents if other != name],
            "turn": 1 + sum(entry.is_turn for entry in self._entries_of(name)),
        }
        prompt = self._agents[name].system_prompt
        return system_messages(prompt, self.introduction, variables, self._templates)

    def _known(self, names: Iterable[str]) -> list[str]:
        known = [names] if isinstance(names, str) else list(names)
        for name in known:
            if name not in self._agents:
                listed = ", ".join(self._agents) or "none: add_agent(Agent(name=...))"
                raise ConfigError(f"there is no agent named {name!r}; there are {listed}")
        return known

    def _require_agents(self) -> list[str]:
        """Return the names of all agents; raises ConfigError if there are none."""
        if not self._agents:
            raise ConfigError("there are no agents in this chat: add_agent(Agent(name=...))")
        return list(self._agents)

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self._agents, *(entry.author for entry in self._entries)]))

    def _entries_of(self, name: str) -> list[ChatEntry]:
        return [entry for entry in self._entries if entry.author == name]
