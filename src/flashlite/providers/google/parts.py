"""Converting the parts of a message from OpenAI's form to Gemini's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from mimetypes import guess_type
from typing import Any
from urllib.parse import urlsplit

from ...errors import ConfigError
from ...types import without_media
from ..reading import text_in
from ..spelling import opened

Part = dict[str, Any]

_BY_URL = frozenset({"image_url", "video_url", "audio_url"})


def parts(content: Any) -> Iterator[Part]:
    """Yield the parts of a content without empty texts, which Vertex AI refuses.

    Raises ConfigError for a part that Gemini does not know.
    """
    given = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    for part in given:
        try:
            spelled = _part(part)
            if spelled.get("text") != "":
                yield spelled
        except (AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"Gemini takes no part like {without_media(part)!r:.200}") from error


def _part(part: Mapping[str, Any]) -> Part:
    kind = part["type"]
    if kind in ("text", "refusal"):
        return {"text": text_in(part[kind])}
    if kind in _BY_URL:
        media = part[kind]
        url, format = (
            (media, None) if isinstance(media, str) else (media["url"], media.get("format"))
        )
        return _media(url, format)
    if kind == "input_audio":
        sound = part["input_audio"]
        kind = f"audio/{sound['format']}"
        if "://" in sound["data"]:
            return _media(sound["data"], kind)
        return {"inlineData": {"mimeType": kind, "data": sound["data"]}}
    file = part["file"]
    return _media(file.get("file_data") or file["file_id"], file.get("format"))


def _media(url: str, format: str | None) -> Part:
    """Return the part for media: inline, or at an address that Google fetches.

    The address may be `gs://…`, an upload, a YouTube video, or any public one. The media type is
    `format` (a MIME type) if given, else derived from the ending.
    """
    if url.startswith("data:"):
        media_type, data = opened(url)
        return {"inlineData": {"mimeType": format or media_type, "data": data}}
    kind = format or guess_type(urlsplit(url).path)[0]
    return {"fileData": {"fileUri": url} | ({"mimeType": kind} if kind else {})}
