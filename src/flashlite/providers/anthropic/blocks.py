"""Assembling the blocks of an answer: the meaning of an event may depend on earlier ones.

A piece of JSON belongs to a call of the caller's tools or of one that Anthropic runs itself; a
thinking block is complete with its signature; a citation refers to an earlier text. So all events
pass through here first; those that need no context pass unchanged. Two event types are added:
`part` is a part of the content, `item` adds to a list of the message.

OpenAI's form separates thinking, content and calls. If they came in another order, the content
marks it: `{"type": "thinking"}` and `{"type": "tool_use"}` among its parts are the places of the
next thinking block and of the next call. The place of a call made by Claude's code has a `caller`,
because the API wants it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ...wire import SSEParser, SSEvent
from ..reading import NOT_AN_ANSWER, load_event, mapping_in, not_an_event, text_in
from .citations import annotation

THINKING = frozenset({"thinking", "redacted_thinking"})
_DIRECT = {"type": "direct"}  # the caller of a call that Claude makes itself


class BlockParser:
    """Splits the bytes of a stream into events that need no context."""

    def __init__(self) -> None:
        self._lines = SSEParser()
        self._blocks = Blocks()

    def feed(self, chunk: bytes) -> Iterator[SSEvent]:
        """Yield the events that this chunk completes."""
        for event in self._lines.feed(chunk):
            yield from self._read(event)

    def close(self) -> Iterator[SSEvent]:
        """Yield the events that the end of the stream completes."""
        for event in self._lines.close():
            yield from self._read(event)

    def _read(self, event: SSEvent) -> Iterator[SSEvent]:
        data = load_event(event.data)
        try:
            told = [
                event if said is data else SSEvent(orjson.dumps(said))
                for said in self._blocks.read(data)
            ]
        except NOT_AN_ANSWER as error:
            raise not_an_event(error, data) from error
        yield from told


@dataclass(slots=True)
class _Block:
    """An incomplete block: `start` is its position in the text, `number` that of a call."""

    fields: dict[str, Any]
    start: int
    number: int
    is_late: bool
    json: str = ""

    @property
    def kind(self) -> str:
        return text_in(self.fields["type"])


class Blocks:
    """The blocks of one answer, event by event."""

    def __init__(self) -> None:
        self._open: dict[Any, _Block] = {}
        self._usage: Mapping[str, Any] = {}
        self._length = 0  # characters of text so far
        self._calls = self._placed = 0
        self._has_begun = False  # whether anything but thinking came

    def read(self, event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the events that an event leads to; raise one of NOT_AN_ANSWER if it is invalid."""
        match event.get("type"):
            case "message_start":
                self._usage = mapping_in(event["message"].get("usage"))
                yield event
            case "content_block_start":
                yield from self._begin(event["index"], event["content_block"])
            case "content_block_delta":
                yield from self._grow(self._open[event["index"]], event)
            case "content_block_stop":
                yield from self._end(event["index"])
            case "message_delta":
                for index in tuple(self._open):
                    yield from self._end(index)
                told = {k: v for k, v in mapping_in(event.get("usage")).items() if v is not None}
                # Only the first report separates cache writes by their lifetime.
                yield {**event, "usage": {**self._usage, **told}}
            case _:
                yield event

    def _begin(self, index: Any, fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        block = _Block(dict(fields), self._length, self._calls, is_late=self._has_begun)
        self._open[index] = block
        self._has_begun |= block.kind not in THINKING
        if block.kind == "tool_use":
            self._calls += 1
            yield {"type": "content_block_start", "index": block.number, "content_block": fields}
            if fields.get("input"):
                block.json = orjson.dumps(fields["input"]).decode()
                yield _delta(block.number, "input_json_delta", "partial_json", block.json)
            if (fields.get("caller") or _DIRECT) != _DIRECT:
                yield from self._place_calls(block.number)
                yield _part({"type": "tool_use", "caller": fields["caller"]})
                self._placed = self._calls
            return
        yield from self._place_calls(self._calls)
        if text := block.kind == "text" and text_in(fields.get("text")):
            self._length += len(text)
            yield _delta(index, "text_delta", "text", text)
        if thought := block.kind == "thinking" and text_in(fields.get("thinking")):
            yield _delta(index, "thinking_delta", "thinking", thought)

    def _place_calls(self, end: int) -> Iterator[Mapping[str, Any]]:
        for _ in range(self._placed, end):
            yield _part({"type": "tool_use"})
        self._placed = end

    def _grow(self, block: _Block, event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        delta = event["delta"]
        match delta["type"]:
            case "text_delta":
                self._length += len(text_in(delta["text"]))
                yield event
            case "thinking_delta":
                block.fields["thinking"] = text_in(block.fields.get("thinking")) + delta["thinking"]
                yield event
            case "citations_delta":
                known = block.fields.get("citations") or []
                block.fields["citations"] = [*known, delta["citation"]]
            case "input_json_delta":
                block.json += text_in(delta["partial_json"])
                if block.kind == "tool_use":
                    yield {**event, "index": block.number}
            case _:
                _extend(block.fields, delta)

    def _end(self, index: Any) -> Iterator[Mapping[str, Any]]:
        block = self._open.pop(index)
        if block.kind == "text":
            for citation in block.fields.get("citations") or ():
                yield _item("annotations", annotation(citation, (block.start, self._length)))
        elif block.kind in THINKING:
            yield _item("thinking_blocks", block.fields)
            if block.is_late:
                yield _part({"type": "thinking"})
        elif block.kind == "tool_use":
            if not block.json:
                yield _delta(block.number, "input_json_delta", "partial_json", "{}")
        else:
            if block.json:
                block.fields["input"] = load_event(block.json.encode())
            yield _part(block.fields)


def _extend(fields: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta to the fields of the same names: texts are appended, others replaced."""
    for name, value in delta.items():
        known = fields.get(name)
        if isinstance(known, str) and isinstance(value, str) and name != "type":
            fields[name] = known + value
        elif name != "type":
            fields[name] = value


def _delta(index: Any, kind: str, name: str, text: str) -> Mapping[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}}


def _part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "part", "part": part}


def _item(name: str, item: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "item", "list": name, "item": item}
