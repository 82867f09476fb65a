"""A summary that replaces messages that no longer fit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ..context import ContextManager, head_length
from ..errors import CompletionError, ConfigError
from ..types import CompletionResponse, Message
from .history import as_text

Ask = Callable[[list[Message]], Awaitable[CompletionResponse]]

_INSTRUCTION = """\
The beginning of a conversation has to make room for what comes after it. Write the summary that \
takes its place: what was asked and decided, facts, names and numbers, results of tools, and what \
is still open. Use at most {words} words. Write the summary only."""
_HEADING = "Summary of the conversation so far:"

# After a summary, messages take at most this part of the window, so that the next one can wait.
_LEFT = 0.5
_PASSAGE = 0.75  # of the window, for messages summed up at once; the rest is for the last summary


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """A text, and the messages it stands for.

    `covered` has the positions of these messages in `beginning`, the part of a history that they
    come from; the summary is not used for a history that begins differently.
    """

    text: str
    beginning: tuple[Message, ...]
    covered: frozenset[int]

    @property
    def message(self) -> Message:
        """The summary as a user message, since not every provider takes system messages here."""
        return Message.user(f"{_HEADING}\n\n{self.text}")

    def fits(self, history: Sequence[Message]) -> bool:
        """Return whether the history starts with the messages that this summary was made from."""
        return tuple(history[: len(self.beginning)]) == self.beginning

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON without the messages, which are in the history."""
        covered = sorted(self.covered)
        return {"text": self.text, "length": len(self.beginning), "covered": covered}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], history: Sequence[Message]) -> Self:
        """Read what `to_dict()` returned, with the history it was saved with."""
        try:
            beginning = tuple(history[: int(data["length"])])
            covered = frozenset(range(len(beginning))) & frozenset(map(int, data["covered"]))
            return cls(str(data["text"]), beginning, covered)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this is no saved summary: {data!r:.80}") from error


def abridged(history: Sequence[Message], summary: Summary | None) -> list[Message]:
    """Return the history with the covered messages replaced by the summary."""
    return [
        summary.message if summary and place is None else history[place or 0]
        for place in _places(history, summary)
    ]


async def summarize(
    history: Sequence[Message],
    summary: Summary | None,
    window: ContextManager,
    ask: Ask,
    *,
    tools: Any = (),
) -> Summary | None:
    """Return the summary with which the history fits: the current one if that is enough.

    Raises ConfigError if the history does not fit even with a summary.
    """
    summary = summary if summary and summary.fits(history) else None
    shown = abridged(history, summary)
    gone = window.left_out(shown, tools=tools, fraction=_LEFT)
    places = _places(history, summary)
    new = sorted(place for n in gone if (place := places[n]) is not None)
    if new:
        text = summary.text if summary else ""
        for passage in _passages([history[place] for place in new], window):
            text = await _write(text, passage, window, ask)
        covered = frozenset(new) | (summary.covered if summary else frozenset())
        summary = Summary(text, tuple(history[: max(covered) + 1]), covered)
    if not window.fits(abridged(history, summary), tools=tools):
        raise ConfigError(
            f"the summary leaves no room for the last messages in {window.limit} tokens: give them "
            "more (max_tokens), or say who writes shorter ones (summary_model)"
        )
    return summary


def _places(history: Sequence[Message], summary: Summary | None) -> list[int | None]:
    """Return the positions of the messages that are shown, with None for the summary."""
    if summary is None:
        return list(range(len(history)))
    shown = [place for place in range(len(history)) if place not in summary.covered]
    head = head_length(history)
    return [*shown[:head], None, *shown[head:]]


def _passages(messages: Iterable[Message], window: ContextManager) -> Iterator[str]:
    """Yield messages as text, in passages that fit the window together with a summary."""
    lines: list[str] = []
    size = 0
    for message in messages:
        more = window.count_tokens(message)
        if lines and size + more > window.limit * _PASSAGE:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(as_text(message))
        size += more
    yield "\n".join(lines)


async def _write(before: str, passage: str, window: ContextManager, ask: Ask) -> str:
    instruction = _INSTRUCTION.format(words=min(400, max(30, window.limit // 10)))
    said = f"{_HEADING}\n\n{before}\n\nWhat follows it:\n\n{passage}" if before else passage
    response = await ask([Message.system(instruction), Message.user(said)])
    if not response.content.strip():
        raise CompletionError("the model wrote no summary: an empty answer")
    return response.content.strip()
