"""Who speaks next in a chat, and when it ends.

A policy takes the chat and returns the name of the next speaker, several names for a parallel
round, or None to end; it may be a coroutine function. A stop condition takes the chat and returns
whether to end. Those in this module look only at the transcript, so that a chat that was loaded,
forked or interrupted continues as it would have without that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol, TypeAlias

from ..conversation.arguments import check_client, check_count
from ..errors import CompletionError, ConfigError
from ..tools import Completer
from ..types import Message, asking
from .transcript import AgentStats, ChatEntry


class Chat(Protocol):
    """What a policy can use of a chat."""

    @property
    def agents(self) -> Mapping[str, Any]: ...

    @property
    def transcript(self) -> Sequence[ChatEntry]: ...

    def format_transcript(self, viewer: str | None = None) -> str: ...


Next: TypeAlias = str | Sequence[str] | None
Policy: TypeAlias = Callable[[Any], Next | Awaitable[Next]]
Stop: TypeAlias = Callable[[Any], bool | Awaitable[bool]]


def in_turn(chat: Chat) -> str | None:
    """Return the next agent in the order in which they joined, starting again at the end."""
    names = list(chat.agents)
    last = _last_speaker(chat)
    place = names.index(last) + 1 if last in names else 0
    return names[place % len(names)] if names else None


def at_random(seed: int | str) -> Policy:
    """Return a policy that picks a random speaker, if possible not the one who spoke last."""

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
    """Return a policy in which a model chooses the next speaker or ends the chat.

    The model reads what `name` may read, so a moderator does not see other agents' private
    messages. Its answers are not part of the transcript or its statistics. The policy raises
    CompletionError if it names no agent in so many `tries`; `options` go to `client.complete`.
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

    check_client(client)
    check_count("tries", tries, 1)
    return chosen


def says(phrase: str) -> Stop:
    """Return a condition that ends a chat when its last entry is a turn that contains a phrase.

    In a parallel round, any of the turns may contain it. Messages from `add_message` do not count,
    so a moderator may mention the phrase.
    """

    def is_said(chat: Chat) -> bool:
        turns = _turns(chat)
        if not turns or chat.transcript[-1] is not turns[-1]:
            return False
        return any(phrase in one.text for one in turns if one.seen == turns[-1].seen)

    return is_said


def spent(*, tokens: int | None = None, cost: float | None = None) -> Stop:
    """Return a condition that ends a chat once its turns have used so many tokens or US dollars.

    The condition raises ConfigError if that is unknown, because a provider does not report its
    usage or a price is unknown.
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


def check_ends(policy: Any, stop: Any) -> None:
    """Raise ConfigError if a policy or a stop condition that is given cannot be called."""
    if policy is not None and not callable(policy):
        raise ConfigError(
            "a policy is a function of the chat, such as in_turn or at_random(seed); "
            f"got {policy!r:.80}"
        )
    if stop is not None and not callable(stop):
        raise ConfigError(f"stop is a function of the chat, such as says('DONE'); got {stop!r:.80}")


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
    """Return a name in lower case, without the punctuation that models put around it."""
    return name.strip("[]:.*\"'` \t\n").casefold()


def _turns(chat: Chat) -> list[ChatEntry]:
    return [entry for entry in chat.transcript if entry.is_turn]


def _last_speaker(chat: Chat) -> str | None:
    turns = _turns(chat)
    return turns[-1].author if turns else None
