"""Media that a caller's messages refer to, and how to put them into the messages."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .message import Message, Role


class Media(NamedTuple):
    """One file: its bytes, its media type (`image/png`) and its name."""

    content: bytes
    type: str
    name: str


# The key of the address in each kind of part.
_PLACES = {
    "image_url": "url",
    "video_url": "url",
    "audio_url": "url",
    "input_audio": "data",
    "file": "file_data",
}
_CALLERS = frozenset({Role.SYSTEM, Role.DEVELOPER, Role.USER})
_FORMATS = {"audio/mpeg": "mp3", "audio/x-wav": "wav"}


def addresses_in(messages: Iterable[Message], schemes: tuple[str, ...]) -> tuple[str, ...]:
    """Return each media address that begins with one of these schemes, once.

    Only system, developer and user messages are searched: a model or a tool must not decide which
    file or server this machine opens.
    """
    rich = [message for message in messages if type(message.get("content")) is not str]
    found = {
        address: None
        for message in rich
        for part in _parts(message)
        if (address := _address(part)).startswith(schemes)
    }
    return tuple(found)


def with_media(messages: Iterable[Message], found: Mapping[str, Media]) -> tuple[Message, ...]:
    """Return the messages with addresses replaced by the media found for them."""
    return tuple(
        Message({**message, "content": [_filled(part, found) for part in parts]})
        if (parts := _parts(message))
        else message
        for message in messages
    )


def media_type(content: bytes) -> str | None:
    """Return the media type by the first bytes, None if it is not recognized."""
    if content.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12])
    return next((type for start, type in _STARTS.items() if content.startswith(start)), None)


_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
}


def _parts(message: Message) -> Sequence[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, list | tuple) and message.get("role") in _CALLERS:
        return content
    return ()


def _address(part: Mapping[str, Any]) -> str:
    kind = part.get("type")
    media = part.get(kind) if isinstance(kind, str) and kind in _PLACES else None
    address = media.get(_PLACES[str(kind)]) if isinstance(media, Mapping) else None
    return address if isinstance(address, str) else ""


def _filled(part: Mapping[str, Any], found: Mapping[str, Media]) -> Mapping[str, Any]:
    media = found.get(_address(part))
    if media is None:
        return part
    kind: str = part["type"]
    place, base64 = _PLACES[kind], b64encode(media.content).decode()
    own: dict[str, Any] = {**part[kind]}
    if kind == "input_audio":  # the only one without a data URI
        known = _FORMATS.get(media.type) or media.type.rpartition("/")[2]
        own = {"format": known, **own, place: base64}
    elif kind == "file":
        own = {"filename": media.name, **own, place: f"data:{media.type};base64,{base64}"}
    else:
        own[place] = f"data:{media.type};base64,{base64}"
    return {**part, kind: own}
