"""From Inspect's messages and tools to ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    Content,
    ContentAudio,
    ContentDocument,
    ContentImage,
    ContentReasoning,
    ContentText,
    ContentVideo,
)
from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo

from ..errors import ConfigError
from ..types import Message, Part, ToolCall, audio_part, file_part, image_part, text_part
from ._reasoning import from_reasoning


def to_messages(messages: Sequence[ChatMessage]) -> list[Message]:
    """Spell a conversation; media are data URIs, which Inspect guarantees to a provider."""
    return [_message(message) for message in messages]


def to_tools(tools: Sequence[ToolInfo]) -> list[dict[str, Any]]:
    """Spell the tools that the model may call."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters.model_dump(exclude_none=True),
            },
        }
        for tool in tools
    ]


def to_tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    """Spell which tools are to be called."""
    if isinstance(choice, ToolFunction):
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice == "any" else choice


def _message(message: ChatMessage) -> Message:
    match message:
        case ChatMessageAssistant():
            return _assistant(message)
        case ChatMessageTool():
            said = f"Error: {message.error.message}" if message.error else message.text
            return Message.tool_result(message.tool_call_id or "", said)
        case _ if message.role == "system":
            return Message.system(message.text)
        case _:
            content = message.content
            return Message.user(
                content if isinstance(content, str) else [_part(c) for c in content]
            )


def _assistant(message: ChatMessageAssistant) -> Message:
    """An earlier answer: its text, calls and reasoning; what only its author can read stays out."""
    parts = [] if isinstance(message.content, str) else message.content
    texts = [part for part in parts if isinstance(part, ContentText)]
    refused = "\n".join(part.text for part in texts if part.refusal)
    said = message.content if isinstance(message.content, str) else _joined(texts)
    thoughts = [part for part in parts if isinstance(part, ContentReasoning)]
    carried, tagged = from_reasoning(thoughts, author=message.model)
    said = tagged + said
    calls = [ToolCall(call.id, call.function, call.arguments) for call in message.tool_calls or ()]
    return Message.assistant(
        said or (None if calls or refused else ""),
        tool_calls=calls,
        **carried,
        **({"refusal": refused} if refused else {}),
    )


def _joined(texts: Sequence[ContentText]) -> str:
    return "\n".join(part.text for part in texts if not part.refusal)


def _part(content: Content) -> Part:
    match content:
        case ContentText():
            return text_part(content.text)
        case ContentImage():
            detail = content.detail if content.detail in ("low", "high") else None
            return image_part(content.image, detail=detail)
        case ContentAudio():
            return audio_part(content.audio.partition(",")[2], format=content.format)
        case ContentDocument():
            return file_part(file_data=content.document, filename=content.filename)
        case ContentReasoning():
            return text_part(content.text)
        case ContentVideo():
            raise ConfigError("video cannot be sent in this dialect")
        case _:
            raise ConfigError(f"{content.type} content cannot be sent in a user message")
