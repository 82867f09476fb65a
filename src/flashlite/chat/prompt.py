"""The system message of an agent in a chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..templating import Templates
from ..types import Message, text_part

INTRODUCTION = (
    'You are {{ name }}{% if others %}, in a conversation with {{ others | join(", ") }}'
    "{% endif %}. What others say begins with their name in brackets, as in [Name]: and what "
    "[Chat]: says comes from the conversation itself. Do not put your own name in front of what "
    "you say."
)
"""What follows every agent's system prompt, so that it can read the chat."""


def system_messages(
    prompt: Any, introduction: str, variables: Mapping[str, Any], templates: Templates
) -> list[Message]:
    """Return the system message in a list, or an empty one where there is nothing to say.

    `prompt` is a text, a list of parts or None. Only texts with `{{` or `{%` are templates.
    """

    def rendered(text: str) -> str:
        is_template = "{{" in text or "{%" in text
        return templates.render(text, variables) if is_template else text

    if prompt is None or isinstance(prompt, str):
        system = "\n\n".join(rendered(text) for text in (prompt, introduction) if text)
        return [Message.system(system)] if system else []
    parts = [
        {**part, "text": rendered(part["text"])} if part.get("type") == "text" else part
        for part in [*prompt, *([text_part(introduction)] if introduction else ())]
    ]
    return [Message.system(parts)]
