"""OpenAI's dialect at Mistral, which refuses unknown fields.

Source: https://docs.mistral.ai/api/endpoint/chat. An unknown field gets a 422.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from ..types import CompletionRequest, Message
from ..wire import WireRequest
from .adapter import Endpoint
from .openai import OpenAIAdapter

_CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")


class MistralAdapter(OpenAIAdapter):
    """Chat completions, with thinking among the parts of the content."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        params = dict(request.params)
        if params.get("tool_choice") == "required":
            params["tool_choice"] = "any"
        messages = tuple(_message(message) for message in request.messages)
        wire = super().build_request(request.with_(params=params, messages=messages), endpoint)
        # The last chunk always has the usage.
        body = {name: value for name, value in wire.json.items() if name != "stream_options"}
        return replace(wire, json=body)


def _message(message: Message) -> Message:
    wire = _answer(message) if message.role == "assistant" else Message(message)
    if wire.role != "tool":
        wire.pop("name", None)
    if calls := wire.get("tool_calls"):
        wire["tool_calls"] = [{**call, "id": _call_id(call.get("id"))} for call in calls]
    if "tool_call_id" in wire:
        wire["tool_call_id"] = _call_id(wire.tool_call_id)
    if thought := wire.pop("reasoning_content", None):
        wire["content"] = [_thinking(thought), *_parts(wire.content)]
    return wire


def _answer(message: Message) -> Message:
    """Return an answer without the fields of other APIs that this one does not have."""
    wire = Message({key: value for key, value in message.items() if key not in _NOT_TAKEN})
    if isinstance(content := wire.content, list | tuple):
        wire["content"] = [part for part in content if part.get("type") == "text"]
    wire["content"] = wire.content or message.get("refusal")
    return wire


_NOT_TAKEN = frozenset({"audio", "refusal"})


def _call_id(id: str | None) -> str:
    """Return a call's id in Mistral's format; ids of other providers are converted."""
    given = id or ""
    return given if _CALL_ID.fullmatch(given) else sha256(given.encode()).hexdigest()[:9]


def _thinking(text: str) -> Mapping[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _parts(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content or ())
