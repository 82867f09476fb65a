"""Messages, from Inspect's form to ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    Content,
    ContentAudio,
    ContentData,
    ContentImage,
    ContentReasoning,
    ContentText,
    ContentToolUse,
)

from ..providers.dialects import facts_of
from ..types import Message, Part, ToolCall, audio_part, image_part, text_part
from ._citations import annotations_of
from ._parts import to_parts
from ._reasoning import from_reasoning, is_signed_by_claude
from ._server_tools import from_content


def to_messages(messages: Sequence[ChatMessage], *, dialect: str = "") -> list[Message]:
    """Return Inspect's messages as ours; `dialect` is the API they will be sent to."""
    return [_message(message, dialect) for message in messages]


def _message(message: ChatMessage, dialect: str) -> Message:
    match message:
        case ChatMessageAssistant():
            return _assistant(message, dialect)
        case ChatMessageTool():
            return _result(message, dialect)
        case _ if message.role == "system":
            marked = any(_is_marked(one) for one in message.content)
            content = to_parts(message.content, dialect=dialect) if marked else message.text
            return Message.system(content)
        case _:
            return Message.user(to_parts(message.content, dialect=dialect))


def _is_marked(content: str | Content) -> bool:
    return isinstance(content, ContentText) and bool(content.cache_breakpoint)


def _result(message: ChatMessageTool, dialect: str) -> Message:
    id = message.tool_call_id or ""
    if message.error is not None:
        if not facts_of(dialect).marks_errors:
            return Message.tool_result(id, f"Error: {message.error.message}")
        result = Message.tool_result(id, message.error.message or message.text or "error")
        result["is_error"] = True
        return result
    is_text = isinstance(message.content, str) or all(c.type == "text" for c in message.content)
    if is_text or not facts_of(dialect).tool_media:
        return Message.tool_result(id, message.text)
    return Message.tool_result(id, to_parts(message.content, dialect=dialect))


def _assistant(message: ChatMessageAssistant, dialect: str) -> Message:
    """Return an earlier answer, without parts that only another provider can read."""
    content = message.content
    parts: Sequence[Content] = [ContentText(text=content)] if isinstance(content, str) else content
    texts = [part for part in parts if isinstance(part, ContentText)]
    refused = "\n".join(part.text for part in texts if part.refusal)
    thoughts = [part for part in parts if isinstance(part, ContentReasoning)]
    carried, tagged = from_reasoning(thoughts, author=message.model)
    blocks = carried.get("thinking_blocks", ())
    are_messages = any(block.get("type") == "message" for block in blocks)  # see `_answers.py`
    said = _answer_content(parts, dialect, between="" if are_messages else "\n")
    calls = [ToolCall(call.id, call.function, call.arguments) for call in message.tool_calls or ()]
    carried |= {
        "annotations": annotations_of(texts),
        "refusal": refused,
        "audio": _spoken(parts),
    }
    return Message.assistant(
        _with_tag(tagged, said) or (None if calls or refused or carried["audio"] else ""),
        tool_calls=calls,
        **{name: value for name, value in carried.items() if value},
    )


def _with_tag(tagged: str, said: str | list[Part]) -> str | list[Part]:
    if not tagged or isinstance(said, str):
        return tagged + said if isinstance(said, str) else said
    return [text_part(tagged), *said]


def _answer_content(parts: Iterable[Content], dialect: str, *, between: str) -> str | list[Part]:
    """Return an answer's text, or its parts if there are others; consecutive texts are joined."""
    spelled = list(_answered(parts, dialect))
    content: list[Part] = []
    for is_text, run in groupby(spelled, key=lambda part: part.get("type") == "text"):
        texts = list(run)
        joined = between.join(part["text"] for part in texts) if is_text else ""
        content += ([text_part(joined)] if joined else []) if is_text else texts
    if all(part.get("type") == "text" for part in content):
        return content[0]["text"] if content else ""
    return content


def _answered(parts: Iterable[Content], dialect: str) -> Iterator[Part]:
    """Yield the parts of an answer; thinking after the first part leaves a mark in its place."""
    has_begun, has_place = False, facts_of(dialect).thinks_between
    for part in parts:
        if isinstance(part, ContentReasoning):
            if has_begun and has_place and is_signed_by_claude(part):
                yield {"type": "thinking"}
            continue
        for spelled in _answer_parts(part, dialect):
            has_begun = True
            yield spelled


def _answer_parts(part: Content, dialect: str) -> Iterator[Part]:
    match part:
        case ContentText():
            if not part.refusal:
                yield text_part(part.text)
        case ContentImage(internal=dict() as internal) if "thought_signature" in internal:
            yield image_part(part.image) | internal
        case ContentImage(internal=None):
            yield image_part(part.image)
        case ContentAudio(internal=None):
            yield audio_part(part.audio.partition(",")[2], format=part.format)
        case ContentImage() | ContentToolUse() | ContentData():
            yield from from_content(part, dialect=dialect)


def _spoken(parts: Iterable[Content]) -> Any:
    """Return the reference to an audio answer, which OpenAI keeps for a while."""
    for part in parts:
        if isinstance(part, ContentAudio) and isinstance(part.internal, dict):
            return part.internal.get("audio")
    return None
