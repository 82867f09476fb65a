"""The parts of a message's content, in OpenAI's wire form.

A part is a plain dict. There is a function for each kind, so that callers need not remember its
nesting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

Part = dict[str, Any]

REMOVED = "<base64-data-removed>"
"""The note that replaces inline media in logs and messages."""


def text_part(text: str) -> Part:
    """Return a text part."""
    return {"type": "text", "text": text}


def image_part(url: str, *, detail: Literal["auto", "low", "high"] | None = None) -> Part:
    """Return an image part, from a URL or a data URI (`data:image/png;base64,…`)."""
    image = {"url": url} if detail is None else {"url": url, "detail": detail}
    return {"type": "image_url", "image_url": image}


def audio_part(data: str, *, format: Literal["wav", "mp3"]) -> Part:
    """Return an audio part; `data` is bare base64, without a `data:` prefix."""
    return {"type": "input_audio", "input_audio": {"data": data, "format": format}}


def file_part(
    *, file_data: str | None = None, file_id: str | None = None, filename: str | None = None
) -> Part:
    """Return a document part: a data URI with a `filename`, or the id of an upload."""
    given = {"file_data": file_data, "file_id": file_id, "filename": filename}
    return {
        "type": "file",
        "file": {key: value for key, value in given.items() if value is not None},
    }


def spelled_out(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part with `image_url` as an object, even if the caller gave only the address."""
    url = part.get("image_url")
    return {**part, "image_url": {"url": url}} if isinstance(url, str) else part


def is_base64(key: str | None, value: Any) -> bool:
    """Return whether a JSON member is inline media: a base64 data URI, or audio as bare base64."""
    if not isinstance(value, str):
        return False
    is_uri = value.startswith("data:") and ";base64," in value[:128]
    return is_uri or (key == "data" and _BASE64.match(value) is not None)


_BASE64 = re.compile(r"[A-Za-z0-9+/=_-]{256}")


def without_media(value: Any, key: str | None = None) -> Any:
    """Copy a JSON value with inline media replaced by a short note, for logs and messages."""
    if isinstance(value, Mapping):
        return {name: without_media(member, name) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [without_media(member) for member in value]
    return REMOVED if is_base64(key, value) else value
