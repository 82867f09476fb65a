"""Which of Inspect's messages a message of ours stands for.

Inspect identifies messages by their ids, and they carry what ours cannot hold: citations, server
tools, a provider's own state. So a message that came from Inspect goes back as the same message.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentAudio,
    ContentDocument,
    ContentImage,
    ContentText,
)

from ..errors import ConfigError
from ..tools.calls import with_readable_calls
from ..types import Choice, CompletionResponse, Message, Part, Role
from ._messages import to_messages
from ._output import to_output


class Memory:
    """The messages of one agent in one sample, in our form and in Inspect's."""

    def __init__(self) -> None:
        self._known: dict[str, list[ChatMessage]] = {}
        self._histories: dict[str, list[ChatMessage]] = {}

    def adopt(self, messages: Sequence[ChatMessage]) -> list[Message]:
        """Return Inspect's messages as ours, and remember them for `recall`."""
        ours: list[Message] = []
        for theirs in messages:
            [mine] = to_messages([theirs])
            self.learn(mine, theirs)
            ours.append(mine)
        return ours

    def learn(self, mine: Message, theirs: ChatMessage) -> None:
        """Remember which of Inspect's messages a message of ours stands for."""
        self._known.setdefault(_key(mine), []).append(theirs)

    def learn_answer(
        self, mine: Message, theirs: ChatMessageAssistant, asked: Sequence[ChatMessage]
    ) -> None:
        """Remember an answer and its history, which approvers of its tool calls read."""
        self.learn(mine, theirs)
        for call in theirs.tool_calls or ():
            self._histories[call.id] = [*asked, theirs]

    def history_of(self, call_id: str) -> list[ChatMessage]:
        """Return the messages up to the answer that makes a call, [] for an unknown call."""
        return self._histories.get(call_id, [])

    def recall(self, messages: Sequence[Message]) -> list[ChatMessage]:
        """Return our messages as Inspect's: remembered ones unchanged, others newly made."""
        seen = Counter[str]()
        recalled: list[ChatMessage] = []
        for message in messages:
            key = _key(message)
            known = self._known.setdefault(key, [])
            if len(known) == seen[key]:
                known.append(_chat_message(message))
            recalled.append(known[seen[key]])
            seen[key] += 1
        return recalled


def to_contents(content: str | Sequence[Part]) -> str | list[Content]:
    """Return text or parts as Inspect's; raises ConfigError for a part that Inspect lacks."""
    return content if isinstance(content, str) else [_content(part) for part in content]


def _key(message: Message) -> str:
    # When an answer comes back, its unreadable calls have been made readable.
    return json.dumps(with_readable_calls(message), sort_keys=True, default=str)


def _chat_message(message: Message) -> ChatMessage:
    content = to_contents(message.content or "")
    match message.role:
        case Role.SYSTEM | Role.DEVELOPER:
            return ChatMessageSystem(content=content)
        case Role.USER:
            return ChatMessageUser(content=content)
        case Role.TOOL:
            return ChatMessageTool(
                content=content, tool_call_id=message.tool_call_id, function=message.name
            )
        case _:
            return _assistant(message)


def _assistant(message: Message) -> ChatMessageAssistant:
    """Return an answer that no model of this sample gave."""
    told = to_output(CompletionResponse(choices=(Choice(message=message),)), model="")
    return told.choices[0].message.model_copy(update={"source": None, "model": None})


def _content(part: Part) -> Content:
    match part.get("type"):
        case "text":
            return ContentText(text=part["text"])
        case "image_url":
            image = part["image_url"]
            return ContentImage(image=image["url"], detail=image.get("detail") or "auto")
        case "input_audio":
            sound = part["input_audio"]
            uri = f"data:audio/{sound['format']};base64,{sound['data']}"
            return ContentAudio(audio=uri, format=sound["format"])
        case "file" if "file_data" in part["file"]:
            file = part["file"]
            return ContentDocument(document=file["file_data"], filename=file.get("filename") or "")
        case kind:
            raise ConfigError(f"Inspect's messages have no parts of the kind {kind!r}")
