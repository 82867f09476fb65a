"""Who speaks next, and when it is enough.

A policy takes the chat and returns the name of the next speaker, several names for a round in
parallel, or None to end; it may be a coroutine function. A stop condition takes the chat and
returns whether to end. Those here ask only the transcript, so that a chat that was loaded, forked
or broken off goes on as it would have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol, TypeAlias

from ..errors import CompletionError, ConfigError
from ..tools import Completer
from ..types import Message, asking
from .transcript import AgentStats, ChatEntry


class Chat(Protocol):
    """What a policy may ask of a chat."""

    @property
    def agents(self) -> Mapping[str, Any]: ...

    @property
    def transcript(self) -> Sequence[ChatEntry]: ...

    def format_transcript(self, viewer: str | None = None) -> str: ...


Next: TypeAlias = str | Sequence[str] | None
Policy: TypeAlias = Callable[[Any], Next | Awaitable[Next]]
Stop: TypeAlias = Callable[[Any], bool | Awaitable[bool]]


def in_turn(chat: Chat) -> str | None:
    """Let the agents speak in the order in which they joined, again and again."""
    names = list(chat.agents)
    last = _last_speaker(chat)
    place = names.index(last) + 1 if last in names else 0
    return names[place % len(names)] if names else None


def at_random(seed: int | str) -> Policy:
    """Return a policy that draws the next speaker, nobody twice in a row if there are others."""

    def drawn(chat: Chat) -> str | None:
        names, last = list(chat.agents), _last_speaker(chat)
        others = [name for name in names if name != last] or names
        draw = Random(f"{seed}:{len(_turns(chat))}")
        return draw.choice(others) if others else None

    return drawn


def chosen_by(
    client: Completer,
    *,
    name: str = "Moderator",
    instruction: str = "Decide who of them speaks next.",
    tries: int = 3,
    **options: Any,
) -> Policy:
    """Return a policy by which a model chooses the next speaker, or ends the chat.

    It reads what `name` may read: a moderator is no party to what others say in private. Its
    answers are not part of the transcript or its statistics. Raises CompletionError when it names
    no agent in so many `tries`; `options` go to `client.complete`.
    """

    async def chosen(chat: Chat) -> str | None:
        names = list(chat.agents)
        messages, answer = _question(chat, name, instruction), ""
        for _ in range(tries):
            response = await asking(client)(list(messages), **options)
            answer = _bare(response.content)
            if answer == "nobody":
                return None
            if found := [agent for agent in names if _bare(agent) == answer]:
                return found[0]
            complaint = f"Answer with nothing but one of: {', '.join(names)}, nobody."
            messages += [response.message, Message.user(complaint)]
        failure = CompletionError(f"the moderator named no agent in {tries} tries: {answer!r:.80}")
        failure.messages = tuple(messages)
        raise failure

    if tries < 1:
        raise ConfigError(f"tries is at least 1; got {tries}")
    return chosen


def says(phrase: str) -> Stop:
    """Return a condition that ends a chat once an agent's turn, the last entry, has a phrase.

    Of a round in parallel any turn will do. What `add_message` puts in does not count, so a
    moderator may name the phrase.
    """

    def is_said(chat: Chat) -> bool:
        turns = _turns(chat)
        if not turns or chat.transcript[-1] is not turns[-1]:
            return False
        return any(phrase in one.text for one in turns if one.seen == turns[-1].seen)

    return is_said


def spent(*, tokens: int | None = None, cost: float | None = None) -> Stop:
    """Return a condition that ends a chat once its turns used so many tokens or US dollars.

    Raises ConfigError where that cannot be told, because a provider does not say its usage or a
    price is unknown.
    """

    def is_spent(chat: Chat) -> bool:
        total = AgentStats.of(chat.transcript)
        return any(
            limit is not None and _known(name, used) >= limit
            for name, limit, used in (
                ("tokens", tokens, total.tokens),
                ("cost", cost, total.cost),
            )
        )

    if tokens is None and cost is None:
        raise ConfigError("spent takes tokens=, cost= or both")
    return is_spent


def _known(name: str, used: float | None) -> float:
    if used is None:
        raise ConfigError(f"what a turn used is unknown, so spent({name}=...) cannot be kept")
    return used


def _question(chat: Chat, name: str, instruction: str) -> list[Message]:
    listed = ", ".join(chat.agents)
    wanted = f"{instruction} Answer with nothing but a name, or with nobody to end: {listed}."
    said = chat.format_transcript(name) or "(Nobody has said anything yet.)"
    return [
        Message.system(f"You are {name}, and you lead a conversation between {listed}. {wanted}"),
        Message.user(f"{said}\n\n[Chat]: Who speaks next?"),
    ]


def _bare(name: str) -> str:
    """Return a name without what a model puts around it."""
    return name.strip("[]:.*\"'` \t\n").casefold()


def _turns(chat: Chat) -> list[ChatEntry]:
    return [entry for entry in chat.transcript if entry.is_turn]


def _last_speaker(chat: Chat) -> str | None:
    turns = _turns(chat)
    return turns[-1].author if turns else None
