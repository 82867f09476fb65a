"""The adapter of the Messages API.

Source: https://platform.claude.com/docs/en/api/messages, version 2023-06-01. What a model accepts
is looked up in `models`; for an unknown model the API's current form is used, and the API refuses
what does not fit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ...errors import CompletionError
from ...models import lookup
from ...types import CompletionRequest, CompletionResponse, Delta
from ...wire import SSEvent, WireRequest
from ..accepted import accepted
from ..adapter import Endpoint
from ..reading import NOT_AN_ANSWER, load, load_event, not_an_event, read_error
from ..spelling import merged
from .answers import deltas_in, parse_message
from .messages import conversation
from .parameters import body_of, output_format
from .thinking import unfit

VERSION = "2023-06-01"
_FILES_BETA = "files-api-2025-04-14"


class AnthropicAdapter:
    """The Messages API; a host's `stream_parser` has to be `BlockParser`."""

    def __init__(self) -> None:
        self._reported: defaultdict[str, set[str]] = defaultdict(set)

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        model = request.model
        profile = lookup(f"{endpoint.host.name}/{model}")
        refused, who = unfit(request.params, profile), model
        if profile is None or profile.supports("sampling_params") is not False:
            who = f"{model}, while it thinks,"
        request = accepted(request, refused, name=who, reported=self._reported[who])
        format, instruction = output_format(request.params.get("response_format"))
        takes_system = profile is not None and bool(profile.supports("mid_conversation_system"))
        body = {
            "model": model,
            **body_of(request, profile, format),
            **conversation(request.messages, instruction=instruction, takes_system=takes_system),
        }
        if request.stream:
            body["stream"] = True
        body = merged(body, request.extra_body)
        return WireRequest(
            url=f"{_versioned(endpoint.base_url)}/messages",
            json=body,
            headers=_headers(request, endpoint, needs_files=_has_file(body["messages"])),
            timeout=request.timeout,
        )

    def parse_response(self, body: bytes) -> CompletionResponse:
        return parse_message(load(body))

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        data = load_event(event.data)
        try:
            return list(deltas_in(data))
        except NOT_AN_ANSWER as error:
            raise not_an_event(error, data) from error

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


@lru_cache(maxsize=64)
def _versioned(base_url: str) -> str:
    """Return an address with /v1, which Anthropic's own SDK adds to every address."""
    base = base_url.rstrip("/")
    return base if re.search(r"/v\d\w*$", base) else f"{base}/v1"


def _headers(
    request: CompletionRequest, endpoint: Endpoint, *, needs_files: bool
) -> dict[str, str]:
    headers = {"anthropic-version": VERSION}
    if endpoint.api_key:
        headers["x-api-key"] = endpoint.api_key
    headers |= {name.lower(): value for name, value in request.extra_headers.items()}
    if needs_files:
        given = [beta.strip() for beta in headers.get("anthropic-beta", "").split(",")]
        betas = dict.fromkeys([*filter(None, given), _FILES_BETA])
        headers["anthropic-beta"] = ",".join(betas)
    return headers


def _has_file(messages: Any) -> bool:
    """Return whether a message refers to an uploaded file, a beta feature of the API."""
    return any(
        isinstance(source := block.get("source"), Mapping) and source.get("type") == "file"
        for block in _blocks(messages)
    )


def _blocks(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the blocks of messages and of the tool results in them."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item
            yield from _blocks(item.get("content"))
