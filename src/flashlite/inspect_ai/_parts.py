"""Content parts of user and tool messages, from Inspect's form to ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inspect_ai.model import (
    Content,
    ContentAudio,
    ContentDocument,
    ContentImage,
    ContentReasoning,
    ContentText,
    ContentVideo,
)

from ..errors import ConfigError
from ..providers.dialects import facts_of
from ..types import Part, audio_part, file_part, image_part, text_part

_EPHEMERAL = {"type": "ephemeral"}


def to_parts(content: str | Sequence[Content], *, dialect: str) -> str | list[Part]:
    """Return content in our form; media are data URIs, which Inspect guarantees to a provider."""
    if isinstance(content, str):
        return content
    cites = facts_of(dialect).cites and asks_for_citations(content)
    return [_part(one, dialect=dialect, cites=cites) for one in content]


def asks_for_citations(content: str | Iterable[Content]) -> bool:
    """Whether any document asks for citations; the API wants the same for all documents."""
    return any(isinstance(one, ContentDocument) and one.citations for one in content)


def _part(content: Content, *, dialect: str, cites: bool) -> Part:
    match content:
        case ContentText():
            return _text(content, dialect)
        case ContentImage():
            # Inspect's "original" means full resolution, which APIs call "high".
            detail = "high" if content.detail == "original" else content.detail
            return image_part(content.image, detail=None if detail == "auto" else detail)
        case ContentAudio():
            return audio_part(content.audio.partition(",")[2], format=content.format)
        case ContentVideo():
            return {"type": "video_url", "video_url": {"url": content.video}}
        case ContentDocument():
            part = file_part(file_data=content.document, filename=content.filename)
            return part | ({"citations": {"enabled": True}} if cites else {})
        case ContentReasoning():
            return text_part(content.text)
        case _:
            raise ConfigError(f"{content.type} content cannot be sent in a user message")


def _text(content: ContentText, dialect: str) -> Part:
    is_marked = content.cache_breakpoint and facts_of(dialect).marks_cache
    return text_part(content.text) | ({"cache_control": _EPHEMERAL} if is_marked else {})
