"""OpenAI's dialect at Databricks, where signed thinking is sent back among the parts.

Source: https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
"""

from __future__ import annotations

from typing import Any

from ..types import CompletionRequest, Message
from ..wire import WireRequest
from .adapter import Endpoint
from .openai import OpenAIAdapter


class DatabricksAdapter(OpenAIAdapter):
    """Chat completions, with thinking among the parts of the content."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        messages = tuple(_message(message) for message in request.messages)
        return super().build_request(request.with_(messages=messages), endpoint)


def _message(message: Message) -> Message:
    thoughts = [_reasoning(b) for b in message.get("thinking_blocks") or () if b.get("signature")]
    if not thoughts:
        return message
    content: Any = message.content
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    return Message({**message, "content": [*thoughts, *(content or ())]})


def _reasoning(block: dict[str, Any]) -> dict[str, Any]:
    summary = {"type": "summary_text", "text": block.get("thinking") or ""}
    return {"type": "reasoning", "summary": [{**summary, "signature": block["signature"]}]}
