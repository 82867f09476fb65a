"""Parsing the events of ConverseStream.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...types import Delta, ToolCallDelta
from ..reading import NOT_AN_ANSWER, not_an_event, text_in
from .answers import annotation_of, facts_of, finish_reason_of, stop_facts, usage_of

Json = Mapping[str, Any]


def parse_event(kind: str, event: Json) -> Iterator[Delta]:
    """Parse one event; kinds without content for an answer yield nothing."""
    read = _KINDS.get(kind)
    if read is None:
        return
    try:
        yield from read(event)
    except NOT_AN_ANSWER as error:
        raise not_an_event(error, event) from error


def _started(event: Json) -> Iterator[Delta]:
    use = (event.get("start") or {}).get("toolUse")
    if use is not None:
        place, name = _block_index(event), text_in(use["name"])
        id = text_in(use.get("toolUseId")) or f"call_{place}"
        yield Delta(tool_call=ToolCallDelta(place, id, name))


def _gained(event: Json) -> Iterator[Delta]:
    delta, place = event.get("delta") or {}, _block_index(event)
    if text := text_in(delta.get("text")):
        yield Delta(text=text)
    if (use := delta.get("toolUse")) is not None:
        yield Delta(tool_call=ToolCallDelta(place, arguments=text_in(use.get("input"))))
    if (thought := delta.get("reasoningContent")) is not None:
        yield from _thought(thought, place)
    if (citation := delta.get("citation")) is not None:
        yield Delta(extra={"annotations": [(None, annotation_of(citation))]})


def _thought(thought: Json, place: int) -> Iterator[Delta]:
    text = text_in(thought.get("text"))
    signature = text_in(thought.get("signature"))
    redacted = text_in(thought.get("redactedContent"))
    if redacted:
        block: dict[str, Any] = {"type": "redacted_thinking", "data": redacted}
        yield Delta(extra={"thinking_blocks": [(place, block)]})
    elif text or signature:
        block = {"type": "thinking", "thinking": text}
        block |= {"signature": signature} if signature else {}
        yield Delta(reasoning=text, extra={"thinking_blocks": [(place, block)]})


def _stopped(event: Json) -> Iterator[Delta]:
    yield Delta(finish_reason=finish_reason_of(event))
    if told := facts_of(event) | stop_facts(event):
        yield Delta(index=None, facts=told)


def _measured(event: Json) -> Iterator[Delta]:
    told, usage = facts_of(event), usage_of(event.get("usage"))
    if told or usage:
        yield Delta(index=None, facts=told, usage=usage)


_KINDS: Mapping[str, Callable[[Json], Iterator[Delta]]] = {
    "contentBlockStart": _started,
    "contentBlockDelta": _gained,
    "messageStop": _stopped,
    "metadata": _measured,
}


def _block_index(event: Json) -> int:
    place = event.get("contentBlockIndex", 0)
    if not isinstance(place, int):
        raise TypeError(f"{place!r:.80} is not the index of a block")
    return place
