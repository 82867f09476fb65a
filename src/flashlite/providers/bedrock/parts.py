"""Converting content to Converse's blocks: text, images, documents, video and sound.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from ...errors import ConfigError
from ...types import without_media
from ..spelling import opened

Block = dict[str, Any]

_FORMATS = {
    "image": ("png", "jpeg", "gif", "webp"),
    "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    "video": ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"),
    "audio": ("mp3", "opus", "wav", "aac", "flac", "ogg", "m4a"),
}
_OFFICE = "application/vnd.openxmlformats-officedocument"
_BY_MIME = {
    "application/pdf": ("document", "pdf"),
    "application/msword": ("document", "doc"),
    "application/vnd.ms-excel": ("document", "xls"),
    f"{_OFFICE}.wordprocessingml.document": ("document", "docx"),
    f"{_OFFICE}.spreadsheetml.sheet": ("document", "xlsx"),
    "text/csv": ("document", "csv"),
    "text/html": ("document", "html"),
    "text/markdown": ("document", "md"),
    "text/plain": ("document", "txt"),
    "image/jpg": ("image", "jpeg"),
    "audio/mpeg": ("audio", "mp3"),
    "audio/x-wav": ("audio", "wav"),
    "video/3gpp": ("video", "three_gp"),
    "video/quicktime": ("video", "mov"),
    "video/x-flv": ("video", "flv"),
    "video/x-matroska": ("video", "mkv"),
    "video/x-ms-wmv": ("video", "wmv"),
    **{f"{kind}/{f}": (kind, f) for kind, formats in _FORMATS.items() for f in formats},
}
_BY_SUFFIX = {
    **{f: (kind, f) for kind, formats in reversed(_FORMATS.items()) for f in formats},
    "jpg": ("image", "jpeg"),
    "htm": ("document", "html"),
    "3gp": ("video", "three_gp"),
    "webm": ("video", "webm"),
}


def blocks_of(content: Any) -> list[Block]:
    """Return the blocks of a message's content, with the cache points that its parts request.

    Blank text is left out, because the API refuses it.
    """
    if content is None or isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return [block for part in content for block in (*_read(part), *cache_point(part))]


def cache_point(marked: Mapping[str, Any]) -> Iterator[Block]:
    """Yield the cache point for Anthropic's `cache_control` mark, if there is one."""
    if isinstance(mark := marked.get("cache_control"), Mapping):
        lives = {"ttl": mark["ttl"]} if mark.get("ttl") else {}
        yield {"cachePoint": {"type": "default", **lives}}


def _read(part: Mapping[str, Any]) -> list[Block]:
    try:
        return list(_blocks(part))
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"bedrock takes no part like {without_media(part)!r:.200}") from error


def _blocks(part: Mapping[str, Any]) -> Iterator[Block]:
    kind = part.get("type")
    if kind is None:  # a block in Converse's own form: guardContent, searchResult
        yield deepcopy(dict(part))
    elif kind in ("text", "refusal"):
        if (text := part.get(kind) or "").strip():
            yield {"text": text}
    elif (read := _MEDIA.get(kind)) is not None:
        yield read(part)
    else:
        raise ConfigError(
            f"bedrock takes no part of type {kind!r}: "
            f"write it as a text, {', '.join(_MEDIA)}, or as a block of Converse's own"
        )


def _image(part: Mapping[str, Any]) -> Block:
    image = part["image_url"]
    return _media(image["url"] if isinstance(image, Mapping) else image)


def _video(part: Mapping[str, Any]) -> Block:
    video = part["video_url"]
    return _media(video["url"] if isinstance(video, Mapping) else video)


def _sound(part: Mapping[str, Any]) -> Block:
    sound = part["input_audio"]
    return {"audio": {"format": sound["format"], "source": {"bytes": sound["data"]}}}


def _file(part: Mapping[str, Any]) -> Block:
    file = part["file"]
    place = file.get("file_data") or file.get("file_id") or ""
    block = _media(place, filename=file.get("filename"))
    if "document" in block and part.get("citations"):
        block["document"]["citations"] = part["citations"]
    return block


_MEDIA: Mapping[str, Callable[[Mapping[str, Any]], Block]] = {
    "image_url": _image,
    "video_url": _video,
    "input_audio": _sound,
    "file": _file,
}


def _media(url: str, *, filename: str | None = None) -> Block:
    """Return the block of a data URI, or of an object in S3."""
    if url.startswith("data:"):
        mime, bytes64 = opened(url)
        known = _BY_MIME.get(mime) or _by_suffix(filename or "")
        source: Block = {"bytes": bytes64}
    elif url.startswith("s3://"):
        mime, known = "unknown", _by_suffix(url) or _by_suffix(filename or "")
        source = {"s3Location": {"uri": url}}
    else:
        raise ConfigError(
            "bedrock takes media as bytes or from S3: pass a data URI "
            f"(data:image/png;base64,...) or s3://...; got {url!r:.80}"
        )
    if known is None:
        raise ConfigError(f"bedrock takes no {mime} file: {filename or url!r:.80}")
    kind, form = known
    named = {"name": _name(filename)} if kind == "document" else {}
    return {kind: {"format": form, **named, "source": source}}


def _by_suffix(name: str) -> tuple[str, str] | None:
    return _BY_SUFFIX.get(name.rpartition(".")[2].lower())


def _name(filename: str | None) -> str:
    """Return a document's name with only the characters that the API allows."""
    stem = (filename or "").rpartition(".")[0] or filename or ""
    return " ".join(re.sub(r"[^A-Za-z0-9()\[\]-]", " ", stem).split())[:180] or "document"
