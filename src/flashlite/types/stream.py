"""The events that arrive while an answer is still being written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any

from ..errors import ConfigError
from .tool_call import ToolCall, ToolCallDelta
from .usage import Usage


class StreamEventType(StrEnum):
    """The kind of an event, which decides the type of its `data`."""

    TOKEN = "token"  # str: text that the answer gains
    REASONING = "reasoning"  # str: text that the reasoning gains
    TOOL_CALL_START = "tool_call_start"  # ToolCallDelta: a call whose name is known
    TOOL_CALL_DELTA = "tool_call_delta"  # ToolCallDelta: text that its arguments gain
    TOOL_CALL_END = "tool_call_end"  # ToolCall: the whole call
    PARTIAL = "partial"  # Any: the JSON value of a structured answer, as far as it is written
    META = "meta"  # dict
    USAGE = "usage"  # Usage
    DONE = "done"  # CompletionResponse: the whole answer; always the last event
    ERROR = "error"  # dict: status, error


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event; `index` is the choice it belongs to, `timestamp` is in Unix seconds, if known."""

    type: StreamEventType
    data: Any = None
    timestamp: float | None = field(default=None, compare=False)
    index: int = 0

    def to_sse(self, *, id: int | str | None = None, retry: int | None = None) -> str:
        """Return the event as a server-sent event; see `format_sse_event`."""
        return format_sse_event(self.type, self.data, id=id, retry=retry)


def format_sse_event(
    event: str, data: Any, *, id: int | str | None = None, retry: int | None = None
) -> str:
    r"""Return a server-sent event; its data is a text as it is, or else JSON.

    A text of several lines is sent line by line, and readers join the lines with "\n", even if they
    ended in "\r\n" or "\r": the WHATWG HTML standard has no other way.

    A browser that lost the connection reconnects after `retry` milliseconds and sends the last `id`
    that it read in the header `Last-Event-ID`; an id of "" resets that.
    """
    if _LINE_END.search(event):
        raise ConfigError(f"the name of an event is one line; got {event!r:.80}")
    if _NO_ID.search(str(id)):
        raise ConfigError(f"the id of an event is one line without NUL; got {id!r:.80}")
    text = data if isinstance(data, str) else to_json(data)
    lines = [f"data: {line}\n" for line in _LINE_END.split(text)]
    if id is not None:
        lines.append(f"id: {id}\n")
    if checked_retry(retry) is not None:
        lines.append(f"retry: {retry}\n")
    whole = f"event: {event}\n{''.join(lines)}\n"
    return whole.encode("utf-8", "replace").decode()  # half an emoji cannot be encoded


def checked_retry(milliseconds: int | None) -> int | None:
    """Return the value of a `retry` field, or raise ConfigError if it is invalid."""
    if milliseconds is not None and (type(milliseconds) is not int or milliseconds < 0):
        raise ConfigError(f"retry is a whole number of milliseconds; got {milliseconds!r:.80}")
    return milliseconds


def to_json(data: Any, *, ensure_ascii: bool = False) -> str:
    """Return an event's data as one line of JSON; raises TypeError for what JSON cannot hold."""
    return json.dumps(data, ensure_ascii=ensure_ascii, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    for name in ("to_dict", "model_dump"):
        if hasattr(value, name):
            return getattr(value, name)()
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    raise TypeError(f"an event's data is JSON; got {type(value).__name__}")


_LINE_END = re.compile(r"\r\n|\r|\n")
_NO_ID = re.compile(r"[\r\n\0]")  # readers ignore an id with a NUL


# Not frozen, because that is five times slower to create, and every piece of a stream has one.
@dataclass(slots=True, kw_only=True)
class Delta:
    """What one event on the wire adds to one choice; adapters translate streams into these.

    `StreamAccumulator` turns deltas into the events that a reader sees and into the whole answer,
    so the order of events and the completeness of an answer are decided in one place. `index` is
    None for what concerns the whole answer: its usage and facts.

    `tool_call` is a piece of a call, or a whole call. A whole one takes the next position, gets an
    id from its position if it has none, and turns a later "stop" into "tool_calls", because
    providers that send whole calls have no other finish reason for them.

    `part` is a part of the content that is not text. `extra` has what is added to other lists of
    the message, such as `thinking_blocks`: pieces with the position of the item that each belongs
    to. Pieces of one position extend one item; a piece without a position is an item of its own.
    """

    index: int | None = 0
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    part: Mapping[str, Any] | None = None
    tool_call: ToolCallDelta | ToolCall | None = None
    logprobs: dict[str, Any] | None = None
    extra: Mapping[str, Sequence[tuple[int | None, Mapping[str, Any]]]] | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    facts: dict[str, Any] | None = None
