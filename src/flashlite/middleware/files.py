"""The layer that reads the files named in a caller's messages, before any other layer.

A changed file is therefore a changed request, for the cache too.
"""

from __future__ import annotations

import asyncio
from mimetypes import guess_type
from pathlib import Path

from ..errors import ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler
from ..types.media import Media, addresses_in, media_type, with_media


async def local_files(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
    """Replace `file://` addresses by the content of the files.

    Raises ConfigError, naming the path, for a file that cannot be read. Only the caller's own
    messages may open a file, not what a model or a tool said. If others may write user messages,
    check these for `file://` first.
    """
    return await call_next(await with_local_files(request))


async def with_local_files(request: CompletionRequest) -> CompletionRequest:
    """Return the request that `local_files` passes on."""
    addresses = addresses_in(request.messages, ("file:",))
    if not addresses:
        return request
    found = await asyncio.to_thread(_read, addresses)
    return request.with_(messages=with_media(request.messages, found))


def _read(addresses: tuple[str, ...]) -> dict[str, Media]:
    return {address: _read_one(address) for address in addresses}


def _read_one(address: str) -> Media:
    path = _path(address)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ValueError("it is no file")  # a device or a pipe, which may have no end
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: an invalid file name
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read {path}, named in a message: {reason}") from error
    type = media_type(content) or guess_type(path.name)[0] or "application/octet-stream"
    return Media(content, type, path.name)


def _path(address: str) -> Path:
    from urllib.request import url2pathname

    place = address.removeprefix("file:").removeprefix("//").removeprefix("localhost")
    if not place.startswith("/"):
        raise ConfigError(f"a file's address has its whole path: file:///home/...; got {address!r}")
    return Path(url2pathname(place))
