"""Which messages of a history are kept if not all of them fit.

An *exchange* is a message, or an assistant's tool calls together with their results: it is kept or
left out as a whole. A *turn* begins at a user message and ends before the next one; messages before
the first user message belong to the first turn.

Always kept are the system (or developer) messages that the history begins with, the last user
message, and the last exchange. The others are left out in the order of the strategy until the rest
fits:

- `sliding`: whole turns, oldest first, so that the rest begins with a user message. If only the
  last turn is left, its exchanges, oldest first.
- `drop_oldest`: one exchange at a time, oldest first, to keep as much as possible.
- `drop_middle`: like `sliding`, but the first turn goes last, as it often states the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias, get_args

from ..errors import ConfigError
from ..types import Message, Role

Strategy: TypeAlias = Literal["sliding", "drop_oldest", "drop_middle"]
Positions: TypeAlias = list[int]


def check_strategy(strategy: str, known: Sequence[str] = get_args(Strategy)) -> None:
    """Raise ConfigError for an unknown strategy."""
    if strategy not in known:
        raise ConfigError(f"truncation_strategy is one of {', '.join(known)}; got {strategy!r:.80}")


def left_out(
    messages: Sequence[Message],
    sizes: Sequence[int],
    room: int,
    *,
    strategy: Strategy,
    keep_system: bool = True,
) -> set[int]:
    """Return the positions of the messages to leave out; `sizes` are in the unit of `room`.

    If even the messages that are always kept are too large, all others are left out.
    """
    excess = sum(sizes) - room
    gone: set[int] = set()
    if excess > 0:
        for piece in _ORDERS[strategy](_loose_turns(messages, keep_system)):
            gone.update(piece)
            excess -= sum(sizes[position] for position in piece)
            if excess <= 0:
                break
    return gone


def _loose_turns(messages: Sequence[Message], keep_system: bool) -> list[list[Positions]]:
    """Return the exchanges that may be left out, grouped by turn."""
    fixed = _fixed(messages, keep_system)
    turns: list[list[Positions]] = [[]]
    has_user = False
    for exchange in _exchanges(messages):
        first = exchange[0]
        if messages[first]["role"] == Role.USER:
            if has_user:
                turns.append([])
            has_user = True
        if exchange[-1] != len(messages) - 1 and first not in fixed:
            turns[-1].append(exchange)
    return turns


def _fixed(messages: Sequence[Message], keep_system: bool) -> set[int]:
    roles = [message["role"] for message in messages]
    head = head_length(messages) if keep_system else 0
    last_user = (n for n in reversed(range(len(roles))) if roles[n] == Role.USER)
    return {*range(head), *[n for n in (next(last_user, None),) if n is not None]}


def head_length(messages: Sequence[Message]) -> int:
    """Return how many system or developer messages a history begins with."""
    is_head = [message["role"] in (Role.SYSTEM, Role.DEVELOPER) for message in messages]
    return [*is_head, False].index(False)


def open_calls(messages: Sequence[Message]) -> list[str]:
    """Return the ids of the tool calls without a result of their own directly after them."""
    missing: list[str] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] != Role.TOOL:
            missing += waiting
            waiting = [call.get("id") or "" for call in message.get("tool_calls") or ()]
        elif (answered := message.get("tool_call_id") or "") in waiting:
            waiting.remove(answered)
    return missing + waiting


def _exchanges(messages: Sequence[Message]) -> list[Positions]:
    """Return the positions of all messages, grouped into exchanges."""
    exchanges: list[Positions] = []
    by_call: dict[str, Positions] = {}
    for position, message in enumerate(messages):
        is_result = message["role"] == Role.TOOL
        asked = by_call.get(message.get("tool_call_id") or "") if is_result else None
        if asked is not None:
            asked.append(position)
            continue
        exchanges.append([position])
        # Some servers reuse ids in every answer: a result belongs to the latest call of its id.
        calls = message.get("tool_calls") or ()
        by_call.update({call.get("id") or "": exchanges[-1] for call in calls})
    return exchanges


def _sliding(turns: list[list[Positions]]) -> Iterator[Positions]:
    yield from map(_whole, turns[:-1])
    yield from turns[-1]


def _drop_oldest(turns: list[list[Positions]]) -> Iterator[Positions]:
    for turn in turns:
        yield from turn


def _drop_middle(turns: list[list[Positions]]) -> Iterator[Positions]:
    yield from _sliding(turns[1:] or turns)
    yield from map(_whole, turns[:1])


def _whole(turn: Iterable[Positions]) -> Positions:
    return [position for exchange in turn for position in exchange]


_ORDERS: dict[Strategy, Callable[[list[list[Positions]]], Iterator[Positions]]] = {
    "sliding": _sliding,
    "drop_oldest": _drop_oldest,
    "drop_middle": _drop_middle,
}
