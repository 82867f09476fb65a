"""Fetching media by URL for hosts whose API takes no URLs."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from mimetypes import guess_type
from urllib.parse import urljoin, urlsplit

from ..errors import APIConnectionError, APITimeoutError, BadRequestError
from ..types import CompletionRequest, place_of
from ..types.media import Media, addresses_in, media_type, with_media
from ..wire import Transport, WireRequest, WireResponse

_LARGEST = 50 * 2**20  # bytes; no provider takes a larger file inside a request
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAY_PASS = frozenset({408, 429})  # and 5xx
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_WEB = ("http://", "https://")


async def with_urls_inlined(request: CompletionRequest, transport: Transport) -> CompletionRequest:
    """Replace http(s) addresses in the caller's own messages by the media that they point to.

    Raises BadRequestError if an address gives no media, APIConnectionError or APITimeoutError if a
    retry may help; each names the address without its query, which may be secret.
    """
    addresses = addresses_in(request.messages, _WEB)
    if not addresses:
        return request
    gets = [WireRequest(url=url, method="GET", timeout=request.timeout) for url in addresses]
    found = {get.url: await _fetch(get, transport) for get in gets}
    return request.with_(messages=with_media(request.messages, found))


async def _fetch(get: WireRequest, transport: Transport) -> Media:
    try:
        return await _followed(get, transport)
    except (APIConnectionError, APITimeoutError) as error:
        error.reason = f"could not fetch {_shown(get.url)}: {error.reason}"
        error.was_sent = False  # no completion was requested yet
        raise


async def _followed(get: WireRequest, transport: Transport) -> Media:
    url = get.url
    for _ in range(_MOST_REDIRECTS + 1):
        http = await transport.send(replace(get, url=url))
        try:
            elsewhere = http.headers.get("location")
            if http.status not in _REDIRECTS or elsewhere is None:
                return await _media(http, get.url)
        finally:
            await http.aclose()
        url = _joined(url, elsewhere)
        if not url.startswith(_WEB):
            break
    raise _unusable(get.url, "it is redirected too often, or out of the web")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:  # not a valid address
        return ""


async def _media(http: WireResponse, address: str) -> Media:
    if http.status in _MAY_PASS or http.status >= 500:
        raise APIConnectionError(f"status {http.status}")
    if http.status != 200:
        raise _unusable(address, f"status {http.status}")
    content = await _content(http, address)
    name = urlsplit(address).path.rpartition("/")[2] or "file"
    told = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    type = media_type(content) or ("" if told in _UNTOLD else told) or guess_type(name)[0]
    return Media(content, type or "application/octet-stream", name)


async def _content(http: WireResponse, address: str) -> bytes:
    content = bytearray()
    async with aclosing(http.chunks()) as chunks:
        async for chunk in chunks:
            content += chunk
            if len(content) > _LARGEST:
                raise _unusable(address, f"it is larger than {_LARGEST // 2**20} MB")
    return bytes(content)


def _unusable(address: str, reason: str) -> BadRequestError:
    return BadRequestError(f"cannot use {_shown(address)}: {reason}")


def _shown(address: str) -> str:
    return place_of(address).partition("?")[0]
