"""The system message of an agent in a chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..templating import Templates
from ..types import Message, text_part

INTRODUCTION = (
    'You are {{ name }}{% if others %}, in a conversation with {{ others | join(", ") }}'
    "{% endif %}. What others say begins with their name in brackets, as in [Name]: and what "
    "[Chat]: says comes from the conversation itself. Do not put your own name in front of what "
    "you say."
)
"""The text after every agent's system prompt, which explains how to read the chat."""


def system_messages(
    prompt: Any, introduction: str, variables: Mapping[str, Any], templates: Templates
) -> list[Message]:
    """Return the system message in a list, or an empty list if there is no text for it.

    `prompt` is a text, a list of parts or None. Only texts with `{{` or `{%` are templates.
    """

    def rendered(text: str) -> str:
        if "{{" not in text and "{%" not in text:
            return text
        try:
            return templates.render(text, variables)
        except ConfigError as error:
            what = "introduction" if text == introduction else "system prompt"
            raise ConfigError(
                f"the {what} of {variables['name']}, which is a template in a chat: {error}; write "
                "{% raw %}...{% endraw %} around braces that are not tags"
            ) from error

    if prompt is None or isinstance(prompt, str):
        system = "\n\n".join(rendered(text) for text in (prompt, introduction) if text)
        return [Message.system(system)] if system else []
    parts = [
        {**part, "text": rendered(part["text"])} if part.get("type") == "text" else part
        for part in [*prompt, *([text_part(introduction)] if introduction else ())]
    ]
    return [Message.system(parts)]
