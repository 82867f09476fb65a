"""Parts of a message, from OpenAI's form to Gemini's."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from mimetypes import guess_type
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from ...errors import ConfigError
from ...types import without_media

Part = dict[str, Any]

_BY_URL = frozenset({"image_url", "video_url", "audio_url"})


def parts(content: Any) -> Iterator[Part]:
    """Yield the parts of a content; raises ConfigError for one that Gemini does not know."""
    if isinstance(content, str):
        yield {"text": content}
        return
    for part in content or ():
        try:
            yield _part(part)
        except (AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"Gemini takes no part like {without_media(part)!r:.200}") from error


def _part(part: Mapping[str, Any]) -> Part:
    kind = part["type"]
    if kind in ("text", "refusal"):
        return {"text": part[kind]}
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
    """Say where media are: inside, or at an address that Google fetches.

    That is `gs://…`, the address of an upload, of a video on YouTube, or any public one; the kind
    of media follows from how it ends, unless `format` says (a MIME type).
    """
    if url.startswith("data:"):
        head, _, data = url.removeprefix("data:").partition(",")
        if not head.endswith(";base64"):
            data = b64encode(unquote_to_bytes(data)).decode()
        return {"inlineData": {"mimeType": format or head.partition(";")[0], "data": data}}
    kind = format or guess_type(urlsplit(url).path)[0]
    return {"fileData": {"fileUri": url} | ({"mimeType": kind} if kind else {})}
