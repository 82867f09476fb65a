"""How many tokens messages take, counted locally."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ..models import MEDIA_TOKENS, ModelProfile, count_tokens
from ..types import Message, MessageInput, normalize_messages

# The tokens around the texts of a prompt, from OpenAI's cookbook, "How to count tokens with
# tiktoken": <|start|>{role}{content}<|end|>, a name, and the head of the answer to come. Those
# around a tool call are not published; they are assumed to be as many as a message's.
MESSAGE_TOKENS, NAME_TOKENS, REPLY_TOKENS = 3, 1, 3

_REMEMBERED = 20_000  # texts
_WORDS = ("text", "refusal", "thinking")
_LONGEST_CHARACTER = 4  # bytes in UTF-8


def estimate_tokens(messages: MessageInput, model: str | ModelProfile | None = None) -> int:
    """Return how many tokens a prompt of these messages takes.

    The count is exact for texts to OpenAI's chat models, and approximate for tool calls and other
    models (see `count_tokens`). An image, a sound or a document counts as MEDIA_TOKENS. Reasoning
    counts only in signed blocks, because only those are sent back to the model.
    """
    return TokenCounter().count(normalize_messages(messages), model)


class TokenCounter:
    """Counts tokens and remembers the counts of texts."""

    def __init__(self) -> None:
        # Keyed by the text: a string keeps its hash, so looking up a known one costs nothing.
        self._tokens_in = lru_cache(_REMEMBERED)(_tokens_in)

    def count(self, messages: Iterable[Message], model: str | ModelProfile | None = None) -> int:
        """Return the number of tokens of a whole prompt."""
        return REPLY_TOKENS + sum(self.sizes(messages, model))

    def sizes(
        self, messages: Iterable[Message], model: str | ModelProfile | None = None
    ) -> list[int]:
        """Return the number of tokens of each message."""
        return [_around(message) + self.texts(_texts(message), model) for message in messages]

    def texts(self, texts: Iterable[str], model: str | ModelProfile | None = None) -> int:
        """Return the number of tokens of bare texts, all together."""
        name = model.name if isinstance(model, ModelProfile) else model
        return sum(self._tokens_in(text, name) for text in texts)


def at_most(messages: Iterable[Message], texts: Iterable[str] = ()) -> int:
    """Return an upper bound of a prompt's tokens, computed from bytes: a token has at least one."""
    sizes = (_around(message) + sum(map(_bytes, _texts(message))) for message in messages)
    return REPLY_TOKENS + sum(sizes) + sum(map(_bytes, texts))


def definitions(tools: Any) -> list[str]:
    """Return the tools as JSON, to count them; what providers turn this into is not published.

    Values that are not tools are skipped; the call that takes them refuses them.
    """
    known = tools if isinstance(tools, Iterable) else ()
    forms = (tool if isinstance(tool, Mapping) else _openai_form(tool) for tool in known)
    return [_json(form) for form in forms if form is not None]


def _tokens_in(text: str, model: str | None) -> int:
    return count_tokens(text, model=model)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text) * _LONGEST_CHARACTER


def _around(message: Message) -> int:
    """Return the tokens of a message that are not text: its frame, its calls' frames, its media."""
    content = message.get("content")
    parts = () if content is None or isinstance(content, str) else content
    media = sum(_words(part) is None for part in parts)
    frames = 1 + len(message.get("tool_calls") or ())
    named = NAME_TOKENS if message.get("name") else 0
    return MESSAGE_TOKENS * frames + named + MEDIA_TOKENS * media


def _texts(message: Message) -> Iterator[str]:
    """Yield each text of a message that the model reads."""
    yield message["role"]
    yield message.get("name") or ""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    else:
        yield from (_words(part) or "" for part in content or ())
    for call in message.get("tool_calls") or ():
        function = call.get("function") or call
        yield from (_json(function.get(key, "")) for key in ("name", "arguments"))
    yield from (_words(block) or "" for block in message.get("thinking_blocks") or ())


def _words(part: Mapping[str, Any]) -> str | None:
    """Return the text of a part, or None if it is of another kind."""
    return next((part[key] for key in _WORDS if isinstance(part.get(key), str)), None)


def _openai_form(tool: Any) -> Any:
    return tool.to_openai() if hasattr(tool, "to_openai") else None


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
