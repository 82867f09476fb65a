"""Estimate a request's tokens from its bytes, corrected by recent answers."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

from ..models import MEDIA_TOKENS
from ..types import CompletionRequest, Usage
from .windows import Amount

OUTPUT_TOKENS = 512
"""The output tokens assumed for a model that has not answered yet."""

_MESSAGE_BYTES = 16  # role and separators
_HEAD_ROOM = 1.5  # answers vary around their mean
_MEMORY = 0.9  # the weight of past answers when a new one is learned
_SAMPLE = 1024  # characters sampled from a long text that is not ASCII


class PromptSize(NamedTuple):
    """The size of a prompt: bytes of text, and the number of other parts."""

    text: int
    media: int = 0


class TokenEstimate:
    """The tokens that requests to one model are likely to take.

    It starts from four bytes per token. Prompts are weighted by their size, because short ones
    mislead: most of their tokens are the server's template.
    """

    def __init__(self) -> None:
        self._text, self._input = 1000.0, 250.0
        self._output: float | None = None

    def amount(self, request: CompletionRequest, size: PromptSize) -> Amount:
        """Estimate what a request will take."""
        given = ceil(size.text * self._input / self._text) + size.media * MEDIA_TOKENS
        each = _longest_answer(request) or self._usual_answer()
        output = 0 if request.api == "embeddings" else each * choices(request)
        return Amount(1, given, output, given + output)

    def learn(self, size: PromptSize, usage: Usage, *, choices: int) -> None:
        """Take an answer's real usage into account."""
        if usage.estimated:
            return
        if usage.input_tokens and not size.media:
            self._text = self._text * _MEMORY + size.text
            self._input = self._input * _MEMORY + usage.input_tokens
        each = usage.output_tokens / choices
        before = each if self._output is None else self._output
        self._output = before * _MEMORY + each * (1 - _MEMORY)

    def _usual_answer(self) -> int:
        return OUTPUT_TOKENS if self._output is None else ceil(self._output * _HEAD_ROOM)


def choices(request: CompletionRequest) -> int:
    """Return how many answers a request asks for."""
    n = request.params.get("n")
    return n if isinstance(n, int) and n > 0 else 1


def measure(request: CompletionRequest) -> PromptSize:
    """Measure a prompt: its messages and its tools."""
    text = _json_bytes(request.tools)
    media = 0
    for message in request.messages:
        content = message.get("content")
        text += _MESSAGE_BYTES
        if isinstance(content, str):
            text += _bytes(content)
        else:
            for part in content or ():
                words = next((part[key] for key in _WORDS if key in part), None)
                text += _json_bytes(words)
                media += words is None
        if "tool_calls" in message:
            text += _json_bytes(message["tool_calls"])
    return PromptSize(text, media)


_WORDS = ("text", "refusal", "thinking")


def _longest_answer(request: CompletionRequest) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = request.params.get(name)
        if isinstance(limit, int) and limit > 0:
            return limit
    return 0


def _json_bytes(value: Any) -> int:
    """Return the approximate length of a JSON value in bytes."""
    if isinstance(value, str):
        return _bytes(value)
    if isinstance(value, Mapping):
        return sum(len(name) + 4 + _json_bytes(member) for name, member in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_json_bytes, value))
    return 0 if value is None else 4


def _bytes(text: str) -> int:
    """Return the length in UTF-8, estimated from every n-th character for a long text."""
    if text.isascii():
        return len(text)
    sample = text[:: max(1, len(text) // _SAMPLE)]
    return len(sample.encode("utf-8", "surrogatepass")) * len(text) // len(sample)
