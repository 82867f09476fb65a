"""What arrives while an answer is still being written."""

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
    """The kind of an event; what its `data` is stands behind each."""

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
    """One event; `index` is the choice it belongs to, `timestamp` Unix seconds if it was noted."""

    type: StreamEventType
    data: Any = None
    timestamp: float | None = field(default=None, compare=False)
    index: int = 0

    def to_sse(self, *, id: int | str | None = None, retry: int | None = None) -> str:
        """Return the event as a server-sent event, as `format_sse_event` writes it."""
        return format_sse_event(self.type, self.data, id=id, retry=retry)


def format_sse_event(
    event: str, data: Any, *, id: int | str | None = None, retry: int | None = None
) -> str:
    r"""Write a server-sent event: its data is text as it stands, else JSON.

    A text of several lines is sent as such, and whoever reads it puts a "\n" between them, also
    where it was "\r\n" or "\r": the WHATWG HTML standard knows no other way.

    A browser that lost the connection asks again after `retry` milliseconds and says the last `id`
    that it read in the header `Last-Event-ID`; "" makes it forget that.
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
    return whole.encode("utf-8", "replace").decode()  # half an emoji is nothing that UTF-8 can say


def checked_retry(milliseconds: int | None) -> int | None:
    """Return what stands in a `retry` field, or raise ConfigError if it cannot."""
    if milliseconds is not None and (type(milliseconds) is not int or milliseconds < 0):
        raise ConfigError(f"retry is a whole number of milliseconds; got {milliseconds!r:.80}")
    return milliseconds


def to_json(data: Any, *, ensure_ascii: bool = False) -> str:
    """Return an event's data as JSON in one line; raises TypeError for what JSON cannot say."""
    return json.dumps(data, ensure_ascii=ensure_ascii, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    for name in ("to_dict", "model_dump"):
        if hasattr(value, name):
            return getattr(value, name)()
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    raise TypeError(f"an event's data is JSON; got {type(value).__name__}")


_LINE_END = re.compile(r"\r\n|\r|\n")
_NO_ID = re.compile(r"[\r\n\0]")  # with a NUL, readers take no notice of it


# Not frozen, which takes five times as long to make: there is one for each piece of a stream.
@dataclass(slots=True, kw_only=True)
class Delta:
    """What one event on the wire adds to one choice: the words an adapter speaks while streaming.

    `StreamAccumulator` turns deltas into the events that a reader sees and into the whole answer,
    so the order of events and the completeness of an answer are decided in one place. `index` is
    None for what concerns the whole answer: its usage and facts.

    `tool_call` is a piece of a call, or a whole one, which takes the next place, an id by its place
    if it has none, and turns a later "stop" into "tool_calls": who sends calls whole says no other.

    `part` is a part of the content that is no text. `extra` is what other lists of the message
    gain, such as `thinking_blocks`: pieces with the place of the item that each belongs to; pieces
    of one place grow one item, and one without a place is an item of its own.
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
