"""Joining two messages that are one answer: the second continues where the first stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .content import text_part
from .message import Message

_LISTS = ("thinking_blocks", "annotations", "tool_calls")
_THOUGHT, _CALL = {"type": "thinking"}, {"type": "tool_use"}


def continued(head: Message, tail: Message) -> Message:
    """Return the one answer that two messages make up.

    Thoughts and calls keep their places among the texts: a part of type "thinking" or "tool_use"
    marks the place of the next item of `thinking_blocks` or `tool_calls`. Without such parts,
    thoughts come first and calls last.
    """
    moved = {**tail, "annotations": list(_moved(tail.get("annotations"), by=len(head.text)))}
    lists = {name: [*(head.get(name) or ()), *(moved.get(name) or ())] for name in _LISTS}
    thought = [message.get("reasoning_content") or "" for message in (head, tail)]
    more = {**lists, "reasoning_content": "".join(thought)}
    whole = {**head, **tail, **more, "content": _content([*_placed(head), *_placed(tail)])}
    return Message({name: value for name, value in whole.items() if value or name not in more})


def _placed(message: Message) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a message, with a placeholder for every thought and call."""
    content = message.content or ()
    parts = [text_part(content)] if isinstance(content, str) else list(content)
    thoughts, calls = message.get("thinking_blocks") or (), message.get("tool_calls") or ()
    yield from [_THOUGHT] * (len(thoughts) - _count(parts, _THOUGHT))
    yield from parts
    yield from [_CALL] * (len(calls) - _count(parts, _CALL))


def _count(parts: Iterable[Mapping[str, Any]], place: Mapping[str, Any]) -> int:
    return sum(part.get("type") == place["type"] for part in parts)


def _content(parts: list[Mapping[str, Any]]) -> str | list[Mapping[str, Any]] | None:
    """Return the parts without implied placeholders, as a text if there is nothing else."""
    while parts and parts[0] == _THOUGHT:
        parts = parts[1:]
    while parts and parts[-1] == _CALL:
        parts = parts[:-1]
    content: list[Mapping[str, Any]] = []
    for part in parts:
        if content and _is_text(part) and _is_text(content[-1]):
            content[-1] = text_part(content[-1]["text"] + part["text"])
        else:
            content.append(part)
    if len(content) == 1 and _is_text(content[0]):
        text: str = content[0]["text"]
        return text
    return content or None


def _is_text(part: Mapping[str, Any]) -> bool:
    return part.keys() == {"type", "text"}


def _moved(annotations: Any, *, by: int) -> Iterator[Mapping[str, Any]]:
    """Yield annotations with their indices moved by the length of the text before."""
    for note in annotations or ():
        place = note.get(note.get("type"))
        if isinstance(place, Mapping) and "start_index" in place:
            ends = {name: place[name] + by for name in ("start_index", "end_index")}
            note = {**note, note["type"]: {**place, **ends}}
        yield note
