"""From the parts of a message to the blocks of the Messages API.

Sources: https://platform.claude.com/docs/en/build-with-claude/vision, .../pdf-support, .../files.
A part of a type that is none of OpenAI's is Anthropic's own, and goes out as it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import ConfigError

Block = dict[str, Any]

_DATA_URI = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)
_SPELLED = {"image/jpg": "image/jpeg", "": "application/pdf"}


def blocks_of(content: Any) -> Iterator[Block]:
    """Yield the blocks of a content, without texts of mere white space: the API refuses them."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    for part in parts:
        block = _block(part)
        if block.get("type") != "text" or block["text"].strip():
            yield block


def _block(part: Mapping[str, Any]) -> Block:
    match part.get("type"):
        case "text":
            block = {**part, "text": part.get("text") or ""}
        case "refusal":
            block = {"type": "text", "text": part["refusal"]}
        case "image_url":
            image = part["image_url"]
            url = image if isinstance(image, str) else image["url"]
            block = {"type": "image", "source": _source(url)}
        case "file":
            block = _file(part["file"])
        case "input_audio":
            raise ConfigError("Claude takes no sound: send its transcript as text")
        case _:
            return dict(part)
    if "cache_control" in part:
        block["cache_control"] = part["cache_control"]
    return block


def _file(file: Mapping[str, Any]) -> Block:
    """Return a document, or an image where the data is one."""
    if "file_id" in file:
        source: Block = {"type": "file", "file_id": file["file_id"]}
    else:
        source = _source(file["file_data"])
    media_type = source.get("media_type", "")
    if media_type.startswith("image/"):
        return {"type": "image", "source": source}
    if media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _text(source["data"])}
    title = {"title": file["filename"]} if "filename" in file else {}
    return {"type": "document", "source": source, **title}


def _source(url: str) -> Block:
    """Return where media come from: an address, a data URI, or the bare base64 of a PDF."""
    if url.startswith(("http://", "https://")):
        return {"type": "url", "url": url}
    head = _DATA_URI.match(url)
    if head is None and url.startswith("data:"):
        raise ConfigError(f"a data URI reads data:image/png;base64,...; got {url!r:.80}")
    media_type = head[1].lower() if head else ""
    data = url[head.end() :] if head else url
    return {"type": "base64", "media_type": _SPELLED.get(media_type, media_type), "data": data}


def _text(data: str) -> str:
    try:
        return base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"a text file is UTF-8 in base64: {error}") from error
