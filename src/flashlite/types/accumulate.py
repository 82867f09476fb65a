"""Turning the pieces of a stream into events and into the whole answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, cast

from ..errors import CompletionError, StreamInterruptedError
from .content import text_part
from .message import Message
from .response import Choice, CompletionResponse
from .stream import Delta, StreamEvent, StreamEventType
from .tool_call import ToolCall, ToolCallDelta
from .usage import Usage


async def assemble(
    deltas: AsyncGenerator[Delta],
    response: CompletionResponse,
    *,
    choices: int = 1,
    price: Callable[[Usage], Usage] = lambda usage: usage,
) -> AsyncGenerator[StreamEvent]:
    """Yield the events of a stream, fill in `response` on the way, and end with DONE.

    `choices` is how many answers were asked for. If the stream breaks or its reader stops early,
    the response has what had arrived, and `response.error` says why it is not a whole answer. Its
    cost is then unknown, because usage is reported at the beginning and at the end of a stream.
    """
    parts = StreamAccumulator(choices=choices)
    used: Usage | None = None
    response.error = "the stream was not read to its end"
    response.facts = parts.facts
    try:
        async with aclosing(deltas):
            async for delta in deltas:
                if delta.usage is not None:
                    response.usage = used = _latest(used, delta.usage)
                    yield StreamEvent(StreamEventType.USAGE, price(used))
                for event in parts.feed(delta):
                    yield event
        whole = parts.choices()
    except CompletionError as error:
        response.error = error.reason
        raise
    finally:
        response.choices = parts.so_far()
        response.id = parts.facts.pop("id", response.id)
        response.model = parts.facts.pop("model", response.model)
    response.choices, response.error = whole, None
    response.usage = used and price(used)
    yield StreamEvent(StreamEventType.DONE, response)


class StreamAccumulator:
    """Collects the deltas of one stream.

    `feed` yields the events for a delta; `choices` returns the whole answer, and raises
    StreamInterruptedError if a choice has no finish reason, because the stream was then cut off.
    """

    def __init__(self, *, choices: int = 1) -> None:
        self.facts: dict[str, Any] = {}
        self._wanted = choices
        self._choices: dict[int, _Pieces] = {}

    def feed(self, delta: Delta) -> Iterator[StreamEvent]:
        """Take one delta and yield its events."""
        if delta.facts:
            self.facts.update(delta.facts)
        if delta.index is None:
            return
        pieces = self._choices.get(delta.index)
        if pieces is None:
            pieces = self._choices[delta.index] = _Pieces()
        yield from pieces.feed(delta, delta.index)

    def choices(self) -> tuple[Choice, ...]:
        """Return the whole answer; raises StreamInterruptedError if it is not complete."""
        finished = [p for p in self._choices.values() if p.finish_reason is not None]
        if len(finished) < max(self._wanted, len(self._choices)):
            raise StreamInterruptedError("the stream ended before the answer was finished")
        return self.so_far()

    def so_far(self) -> tuple[Choice, ...]:
        """Return what has arrived so far, complete or not."""
        return tuple(self._choices[index].choice(index) for index in sorted(self._choices))


@dataclass(slots=True)
class _Pieces:
    """The pieces of one choice."""

    content: list[str | Mapping[str, Any]] = field(default_factory=list["str | Mapping[str, Any]"])
    reasoning: list[str] = field(default_factory=list[str])
    refusal: list[str] = field(default_factory=list[str])
    calls: dict[int, _CallPieces] = field(default_factory=dict[int, "_CallPieces"])
    places: dict[int, int] = field(default_factory=dict[int, int])
    extra: dict[str, _Items] = field(default_factory=dict[str, "_Items"])
    logprobs: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    has_whole_calls: bool = False
    finish_reason: str | None = None

    def feed(self, delta: Delta, index: int) -> Iterator[StreamEvent]:
        if delta.reasoning:
            self.reasoning.append(delta.reasoning)
            yield StreamEvent(StreamEventType.REASONING, delta.reasoning, index=index)
        if delta.text:
            self.content.append(delta.text)
            yield StreamEvent(StreamEventType.TOKEN, delta.text, index=index)
        if delta.refusal:
            self.refusal.append(delta.refusal)
        if delta.part is not None:
            self.content.append(delta.part)
        if delta.extra or delta.logprobs:
            self._feed_lists(delta)
        if delta.tool_call is not None:
            yield from self._feed_call(delta.tool_call, index)
        if delta.finish_reason is not None:
            stopped_to_call = delta.finish_reason == "stop" and self.has_whole_calls
            self.finish_reason = "tool_calls" if stopped_to_call else delta.finish_reason
            yield from self._end_calls(index)

    def choice(self, index: int) -> Choice:
        extra: dict[str, Any] = {name: items.whole() for name, items in self.extra.items()}
        extra |= {"reasoning_content": "".join(self.reasoning), "refusal": "".join(self.refusal)}
        message = Message.assistant(
            _content(self.content),
            tool_calls=[self.calls[position].call() for position in sorted(self.calls)],
            **{name: value for name, value in extra.items() if value},
        )
        return Choice(
            message=message,
            finish_reason=self.finish_reason,
            index=index,
            logprobs=self.logprobs or None,
        )

    def _feed_lists(self, delta: Delta) -> None:
        for name, pieces in (delta.extra or {}).items():
            self.extra.setdefault(name, _Items()).feed(pieces)
        for name, tokens in (delta.logprobs or {}).items():
            self.logprobs.setdefault(name, []).extend(tokens or ())

    def _feed_call(self, piece: ToolCallDelta | ToolCall, index: int) -> Iterator[StreamEvent]:
        if isinstance(piece, ToolCall):
            self.has_whole_calls = True
            free = max(self.calls, default=-1) + 1
            id = piece.id or f"call_{free}"
            piece = ToolCallDelta(free, id, piece.name, piece.arguments_json)
        place = self._place(piece)
        call = self.calls.setdefault(place, _CallPieces())
        call.id = call.id or piece.id
        call.name = call.name or piece.name
        call.arguments.append(piece.arguments)
        if call.started:
            yield from _gain(call, place, piece.arguments, index)
        elif call.name:
            yield from _start(call, place, index)

    def _place(self, piece: ToolCallDelta) -> int:
        """Return the position of the call that a piece belongs to.

        Some servers give every parallel call the same index; a new id with a name is a new call.
        """
        place = self.places.setdefault(piece.index, piece.index)
        known = self.calls.get(place)
        if known and known.id and piece.name and piece.id not in ("", known.id):
            place = self.places[piece.index] = max(self.calls) + 1
        return place

    def _end_calls(self, index: int) -> Iterator[StreamEvent]:
        """End all calls together: their pieces may alternate, so no call is complete before."""
        for position, call in self.calls.items():
            if not call.started:
                yield from _start(call, position, index)
            if not call.ended:
                call.ended = True
                yield StreamEvent(StreamEventType.TOOL_CALL_END, call.call(), index=index)


@dataclass(slots=True)
class _Items:
    """The items of another list of a message, such as `thinking_blocks`."""

    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    places: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    def feed(self, pieces: Iterable[tuple[int | None, Mapping[str, Any]]]) -> None:
        for place, piece in pieces:
            known = self.places.get(place) if place is not None else None
            if known is None:
                self.items.append(item := dict(piece))
                if place is not None:
                    self.places[place] = item
                continue
            for name, value in piece.items():
                if isinstance(value, str) and name not in _NAMES and known.get(name):
                    if not isinstance(known[name], _Text):  # the second piece of a text
                        known[name] = _Text([known[name]])
                    known[name].append(value)
                else:
                    known[name] = value

    def whole(self) -> list[dict[str, Any]]:
        return [
            {n: "".join(v) if isinstance(v, _Text) else v for n, v in item.items()}
            for item in self.items
        ]


class _Text(list[str]):
    """A text of an item, in pieces that are joined only once, because it may be long."""


_NAMES = frozenset({"type", "id", "format"})  # texts that each piece repeats instead of continuing


@dataclass(slots=True)
class _CallPieces:
    """The pieces of one tool call."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    started: bool = False
    ended: bool = False

    def call(self) -> ToolCall:
        return ToolCall(self.id, self.name, "".join(self.arguments))


def _start(call: _CallPieces, position: int, index: int) -> Iterator[StreamEvent]:
    call.started = True
    start = ToolCallDelta(position, call.id, call.name)
    yield StreamEvent(StreamEventType.TOOL_CALL_START, start, index=index)
    yield from _gain(call, position, "".join(call.arguments), index)


def _gain(call: _CallPieces, position: int, text: str, index: int) -> Iterator[StreamEvent]:
    if text:
        delta = ToolCallDelta(position, call.id, call.name, text)
        yield StreamEvent(StreamEventType.TOOL_CALL_DELTA, delta, index=index)


def _content(pieces: list[str | Mapping[str, Any]]) -> str | list[Mapping[str, Any]] | None:
    """Return the content: one text, or a list of parts if there is more than text."""
    parts: list[Mapping[str, Any]] = []
    for is_text, run in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        if is_text:
            parts.append(text_part("".join(cast("Iterable[str]", run))))
        else:
            parts.extend(cast("Iterable[Mapping[str, Any]]", run))
    if len(parts) == 1 and parts[0].get("type") == "text":
        return cast("str", parts[0]["text"])
    return parts or None


def _latest(known: Usage | None, told: Usage) -> Usage:
    """Return the newer usage; if it lacks the input tokens, those of the older one are kept."""
    if known is None or told.input_tokens:
        return told
    return replace(
        told,
        total_tokens=0,
        input_tokens=known.input_tokens,
        input_tokens_cached=known.input_tokens_cached,
        input_tokens_cache_write=known.input_tokens_cache_write,
        input_tokens_cache_write_1h=known.input_tokens_cache_write_1h,
    )
