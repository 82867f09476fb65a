"""The content of an answer, from our form to Inspect's: texts, reasoning and media in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    Content,
    ContentAudio,
    ContentImage,
    ContentReasoning,
    ContentText,
)

from ..types import Message
from ._citations import citations_in
from ._reasoning import think_tag, to_reasoning
from ._server_tools import Parts, with_results
from ._server_tools import to_content as from_server

_THOUGHT = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_BESIDE = frozenset(
    {
        "annotations",
        "audio",
        "reasoning_content",
        "reasoning_details",
        "refusal",
        "thinking_blocks",
    }
)
"""Fields of an answer beside its `content`."""

_PLACE = {"type": "thinking"}  # marks where a reasoning part stood among the texts


def to_content(message: Message, *, dialect: str) -> str | list[Content]:
    """Return the content of an answer: a string if it is nothing but text."""
    content = message.content or ""
    if isinstance(content, str) and not message.keys() & _BESIDE and "<think>" not in content:
        return content
    reasoning = to_reasoning(message)
    if not reasoning and isinstance(content, str) and (thought := _THOUGHT.match(content)):
        # A server without a reasoning parser leaves the tags in the text; Inspect removes them.
        reasoning, content = [think_tag(thought[1])], content[thought.end() :]
    if isinstance(content, str):
        texts = _messages_in(content, message.get("thinking_blocks") or ())
        content = [{"type": "text", "text": text} for text in texts]
    said = [*_in_order(content, reasoning, message.get("annotations") or (), dialect)]
    said += _spoken(message.get("audio"))
    if refusal := message.get("refusal"):
        said.append(ContentText(text=refusal, refusal=True))
    match said:
        case []:
            return ""
        case [ContentText(refusal=None, citations=None) as only]:
            return only.text
        case _:
            return said


def _messages_in(text: str, blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cut a text where one message of the Responses API ends and the next one begins.

    A comment and the final answer are messages of their own, and Inspect puts a line between them.
    """
    lengths = [block.get("length") or 0 for block in blocks if block.get("type") == "message"]
    ends = [len(text) - sum(lengths[position:]) for position in range(len(lengths))]
    if not all(0 <= end <= len(text) for end in ends):
        return [text]
    starts = [0, *ends]
    return [text[start:end] for start, end in zip(starts, [*ends, None], strict=True)]


def _in_order(
    parts: Sequence[Mapping[str, Any]], reasoning: list[ContentReasoning], notes: Any, dialect: str
) -> Iterator[Content]:
    """Yield the parts; reasoning without a marked place among them comes first."""
    first = max(0, len(reasoning) - sum(part == _PLACE for part in parts))
    yield from reasoning[:first]
    late = iter(reasoning[first:])
    start, texts = 0, sum(part.get("type") == "text" for part in parts)
    for run, result in with_results(parts):
        part = run[0]
        if part == _PLACE:
            yield from (thought for thought in [next(late, None)] if thought is not None)
        elif part.get("type") == "text":
            text = part.get("text") or ""
            end, texts = start + len(text), texts - 1
            found = citations_in(notes, start=start, end=end, is_last=not texts)
            start = end
            if text:
                yield ContentText(text=text, citations=found)
        else:
            yield _other(run, result, dialect)


def _other(parts: Parts, result: Mapping[str, Any] | None, dialect: str) -> Content:
    match part := parts[0]:
        case {"type": "refusal", "refusal": str(text)}:
            return ContentText(text=text, refusal=True)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            signed = {n: part[n] for n in ("thought_signature",) if n in part}
            return ContentImage(image=url, internal=signed or None)
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(format)}}:
            if format in ("wav", "mp3"):
                return ContentAudio(audio=_sound(data, format), format=format)  # type: ignore[arg-type]
    return from_server(parts, result, dialect=dialect)


def _spoken(audio: Any) -> Iterator[Content]:
    """Yield the spoken answer of an OpenAI model: its transcript and its audio."""
    if not isinstance(audio, Mapping) or not isinstance(audio.get("data"), str):
        return
    if transcript := audio.get("transcript"):
        yield ContentText(text=transcript)
    kept: Any = {"audio": {"id": audio.get("id")}}
    yield ContentAudio(audio=_sound(audio["data"], "wav"), format="wav", internal=kept)


def _sound(data: str, format: str) -> str:
    return f"data:audio/{'mpeg' if format == 'mp3' else format};base64,{data}"
