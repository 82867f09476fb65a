"""Converting the parts of a message to blocks of the Messages API.

Sources: https://platform.claude.com/docs/en/build-with-claude/vision, .../pdf-support, .../files. A
part whose type is not OpenAI's is taken to be Anthropic's own, and sent unchanged.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import ConfigError
from ...types import without_media
from ..reading import text_in
from ..spelling import opened

Block = dict[str, Any]

_SPELLED = {"image/jpg": "image/jpeg", "": "application/pdf"}


def blocks_of(content: Any) -> Iterator[Block]:
    """Yield the blocks of a content without white-space texts, which the API refuses."""
    if isinstance(content, str):
        if content.strip():
            yield {"type": "text", "text": content}
        return
    for part in content or ():
        block = _read(part)
        if block.get("type") != "text" or block["text"].strip():
            yield block


def _read(part: Mapping[str, Any]) -> Block:
    try:
        return _block(part)
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"Claude takes no part like {without_media(part)!r:.200}") from error


def _block(part: Mapping[str, Any]) -> Block:
    match part.get("type"):
        case "text":
            block = {**part, "text": text_in(part.get("text"))}
        case "refusal":
            block = {"type": "text", "text": text_in(part["refusal"])}
        case "image_url":
            image = part["image_url"]
            url = image if isinstance(image, str) else image["url"]
            block = {"type": "image", "source": _source(url)}
        case "file":
            block = _file(part["file"])
        case "input_audio" | "audio_url" | "video_url":
            raise ConfigError("Claude takes neither sound nor video: send a transcript as text")
        case _:
            return dict(part)
    return block | {name: part[name] for name in ("cache_control", "citations") if name in part}


def _file(file: Mapping[str, Any]) -> Block:
    """Return a document block, or an image block if the data is an image."""
    if file.get("file_id"):
        source: Block = {"type": "file", "file_id": file["file_id"]}
    else:
        source = _source(file["file_data"])
    media_type = source.get("media_type", "")
    if media_type.startswith("image/"):
        return {"type": "image", "source": source}
    if media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _text(source["data"])}
    title = {"title": file["filename"]} if file.get("filename") else {}
    return {"type": "document", "source": source, **title}


def _source(url: str) -> Block:
    """Return the source of media: a URL, a data URI, or the bare base64 of a PDF."""
    if url.startswith(("http://", "https://")):
        return {"type": "url", "url": url}
    media_type, data = opened(url) if url.startswith("data:") else ("", url)
    return {"type": "base64", "media_type": _SPELLED.get(media_type, media_type), "data": data}


def _text(data: str) -> str:
    try:
        return base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"a text file is UTF-8 in base64: {error}") from error
