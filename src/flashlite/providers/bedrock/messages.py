"""Converting a conversation to Converse's form: the system text, and alternating turns.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...types import Message, Role, ToolCall
from ..spelling import understood
from .parts import Block, blocks_of, cache_point

_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


def system_of(messages: Iterable[Message], *, instruction: str | None) -> list[Block]:
    """Return the blocks of all system messages: the API has one place for them."""
    said = [b for message in messages if message.role in _SYSTEM for b in _blocks(message)]
    return said + blocks_of(instruction)


def turns_of(messages: Iterable[Message], *, keeps_reasoning: bool) -> list[Block]:
    """Return the other messages, consecutive ones of a role merged: the API requires turns."""
    turns: list[Block] = []
    for message in messages:
        if message.role in _SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = [
            *_blocks_of_message(message, keeps_reasoning=keeps_reasoning),
            *cache_point(message),
        ]
        if all("reasoningContent" in block for block in blocks):
            continue  # skip empty turns, and thinking alone, which the API refuses
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    _tell_documents_apart(turns)
    return turns


def _blocks_of_message(message: Message, *, keeps_reasoning: bool) -> Iterator[Block]:
    match message.role:
        case Role.TOOL:
            yield from _result(message)
        case Role.ASSISTANT:
            yield from _answered(message, keeps_reasoning=keeps_reasoning)
        case _:
            yield from blocks_of(message.content)


def _answered(message: Message, *, keeps_reasoning: bool) -> Iterator[Block]:
    for thought in message.get("thinking_blocks") or () if keeps_reasoning else ():
        yield from _reasoning(thought)
    yield from blocks_of(understood(message))
    for call in message.tool_calls or ():
        yield {"toolUse": _use(call)}


def _blocks(message: Message) -> list[Block]:
    return [*blocks_of(message.content), *cache_point(message)]


def _reasoning(thought: Mapping[str, Any]) -> Iterator[Block]:
    """Yield a signed block of reasoning; unsigned ones are left out, as the API refuses them."""
    match thought:
        case {"type": "thinking", "signature": str(signature)} if signature:
            text = thought.get("thinking") or ""
            yield {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}
        case {"type": "redacted_thinking", "data": str(redacted)}:
            yield {"reasoningContent": {"redactedContent": redacted}}


def _use(call: ToolCall) -> Block:
    return {"toolUseId": _id(call.id), "name": call.name, "input": call.arguments}


def _result(message: Message) -> Iterator[Block]:
    """Yield a tool result, then the cache points of its parts, which cannot be inside it."""
    blocks = blocks_of(message.content)
    points = [block for block in blocks if "cachePoint" in block]
    # Some models refuse an empty list, none an empty text.
    content = [block for block in blocks if "cachePoint" not in block] or [{"text": ""}]
    failed = {"status": "error"} if message.get("is_error") else {}
    id = _id(message.tool_call_id or "")
    yield {"toolResult": {"toolUseId": id, "content": content, **failed}}
    yield from points


def _id(given: str) -> str:
    """Return a call's id with the characters that the API allows; other providers use more."""
    return re.sub(r"[^a-zA-Z0-9_.:-]", "_", given)[:64] or "call"


def _tell_documents_apart(turns: list[Block]) -> None:
    """Number documents of the same name, because the API requires unique names."""
    taken: set[str] = set()
    for document in _documents(block for turn in turns for block in turn["content"]):
        name, number = document["name"], 1
        while document["name"] in taken:
            number += 1
            document["name"] = f"{name} {number}"
        taken.add(document["name"])


def _documents(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        if "name" in block.get("document", ()):
            yield block["document"]
        elif "toolResult" in block:
            yield from _documents(block["toolResult"]["content"])
