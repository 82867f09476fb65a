"""Answers in the logs of flashlite's own scripts, which record their cache keys."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import orjson
from inspect_ai.event import ModelEvent

from ..inspect_logs.cached_as import answer_key, request_of
from ..middleware.stored_answer import is_worth_keeping, read_answer, write_answer
from ..stores import Entry, Store
from ..types import Message, ToolCall
from ._completer import to_response
from ._messages import to_messages
from ._recorded import ANSWERED_OTHERWISE, GIVEN_OTHERWISE, KNOWN, NOT_KEPT, STORED

Spellings: TypeAlias = Mapping[tuple[str, bytes | None], str]
"""Arguments of tool calls as the models wrote them, by the call's id and their value.

Ids alone are not unique: some servers count calls from 1 in each answer. The value of arguments
that cannot be read is None.
"""


def is_own(event: ModelEvent) -> bool:
    """Whether a call was logged by flashlite itself, outside of Inspect."""
    return "request_id" in (event.metadata or {})


async def keep_own(event: ModelEvent, store: Store, spellings: Spellings) -> str:
    """Store the answer of a call; return STORED, KNOWN, or why it is not stored."""
    known = (event.metadata or {}).get("cached_as")
    if not isinstance(known, Mapping):
        return "were not to be cached, or do not say all that decided their answers"
    request = request_of(known, [_respelled(m, spellings) for m in _named(event)])
    if request is None:
        return "had messages of which the log does not hold everything"
    response = to_response(event.output)
    for choice in response.choices:
        _respelled(choice.message, spellings)
    if answer_key(response) != known["answer"]:
        return GIVEN_OTHERWISE
    key, collection = known["key"], known.get("collection", "")
    entry = await store.get(key, collection=collection)
    if entry is not None and (stored := read_answer(entry, None)) is not None:
        return KNOWN if answer_key(stored) == known["answer"] else ANSWERED_OTHERWISE
    if not is_worth_keeping(response):
        return NOT_KEPT
    answer = write_answer(response)
    entry = Entry(key=key, request=request, response=answer, created=time.time())
    await store.put(entry, collection=collection)
    return STORED


def spellings(events: Iterable[ModelEvent]) -> Spellings:
    """Return the original text of all tool call arguments in a sample.

    Cache keys depend on the text, but Inspect's messages keep only the values; the text is in the
    raw calls, and in what `cached_as.py` adds.
    """
    found: dict[tuple[str, bytes | None], str] = {}
    for event in events:
        raw = [event.call.request, event.call.response] if event.call is not None else []
        for id, text in _calls_in([*raw, (event.metadata or {}).get("cached_as")]):
            found[id, _value(text)] = text
    return found


def _calls_in(raw: Any) -> Iterator[tuple[str, str]]:
    if isinstance(raw, list):
        for member in raw:
            yield from _calls_in(member)
    elif isinstance(raw, dict):
        match raw:
            case {"id": str(id), "function": {"arguments": str(text)}}:
                yield id, text
            case {"call_id": str(id), "arguments": str(text)}:
                yield id, text
        for member in raw.values():
            yield from _calls_in(member)


def _value(text: str) -> bytes | None:
    """Return the value of arguments as canonical JSON, None if they cannot be read."""
    call = ToolCall("", "", text)
    try:
        sorted_ = orjson.dumps(call.arguments, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half an emoji, or a number of more than 64 bits
        return None
    return None if call.parse_error else sorted_


def _named(event: ModelEvent) -> Iterator[Message]:
    """Yield the messages of a call, with names from metadata: Inspect has no field for them."""
    for theirs, message in zip(event.input, to_messages(event.input), strict=True):
        if name := (theirs.metadata or {}).get("name"):
            message["name"] = name
        yield message


def _respelled(message: Message, spellings: Spellings) -> Message:
    """Restore the arguments of a message's calls to the text that the model wrote."""
    for call in message.get("tool_calls") or ():
        function, id = call["function"], call["id"]
        unread = spellings.get((id, None), function["arguments"])
        function["arguments"] = spellings.get((id, _value(function["arguments"])), unread)
    return message
