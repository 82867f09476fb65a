"""Parts of a message that are more than one text, in OpenAI's wire form.

A part is a plain dict. These functions spell the kinds out, so that nobody has to remember the
nesting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

Part = dict[str, Any]

REMOVED = "<base64-data-removed>"
"""What stands in logs and messages where inline media were."""


def text_part(text: str) -> Part:
    """Text, as one part among others."""
    return {"type": "text", "text": text}


def image_part(url: str, *, detail: Literal["auto", "low", "high"] | None = None) -> Part:
    """An image by URL or data URI (`data:image/png;base64,…`)."""
    image = {"url": url} if detail is None else {"url": url, "detail": detail}
    return {"type": "image_url", "image_url": image}


def audio_part(data: str, *, format: Literal["wav", "mp3"]) -> Part:
    """Sound as bare base64, without a `data:` prefix."""
    return {"type": "input_audio", "input_audio": {"data": data, "format": format}}


def file_part(
    *, file_data: str | None = None, file_id: str | None = None, filename: str | None = None
) -> Part:
    """A document: a data URI in `file_data` together with `filename`, or the id of an upload."""
    given = {"file_data": file_data, "file_id": file_id, "filename": filename}
    return {
        "type": "file",
        "file": {key: value for key, value in given.items() if value is not None},
    }


def spelled_out(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part whose `image_url` is an object; some callers write the address alone."""
    url = part.get("image_url")
    return {**part, "image_url": {"url": url}} if isinstance(url, str) else part


def is_base64(key: str | None, value: Any) -> bool:
    """Whether a JSON member holds inline media: a base64 data URI, or sound's bare base64."""
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
