"""The dialect of Cohere's chat API, version 2.

Source: https://docs.cohere.com/reference/chat and https://docs.cohere.com/reference/chat-stream.

Thinking comes as `thinking` blocks of the content, or from older models as a `tool_plan` about the
use of tools. Both are read as reasoning, and kept unchanged in `thinking_blocks`, because Cohere
wants them back with the calls that they led to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...errors import CompletionError
from ...types import CompletionRequest, CompletionResponse, Delta
from ...wire import SSEvent, WireRequest
from ..adapter import Endpoint
from ..reading import NOT_AN_ANSWER, load, load_event, not_an_answer, not_an_event, read_error
from .answers import parse_answer, parse_event
from .requests import body_of


class CohereAdapter:
    """Chat, version 2."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        return WireRequest(
            url=f"{endpoint.base_url.rstrip('/')}/chat",
            json=body_of(request),
            headers={**endpoint.bearer, **request.extra_headers},
            timeout=request.timeout,
        )

    def parse_response(self, body: bytes) -> CompletionResponse:
        data = load(body)
        try:
            return parse_answer(data)
        except NOT_AN_ANSWER as error:
            raise not_an_answer(error, data) from error

    def parse_stream_event(self, event: SSEvent) -> Iterator[Delta]:
        if event.data.strip() == b"[DONE]":
            return
        data = load_event(event.data)
        try:
            yield from parse_event(data)
        except NOT_AN_ANSWER as error:
            raise not_an_event(error, data) from error

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)
