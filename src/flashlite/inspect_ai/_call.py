"""The raw request and answer of one generate, as the log's API tab shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai.model import ModelCall, record_response_headers

from ..errors import CompletionError, StructuredOutputError
from ..providers import request_id_header
from ..types import REMOVED, CompletionResponse, is_base64
from ._private import attach_call, report_request_id, show_call

_MEDIA = frozenset({"b64_json", "bytes", "data", "result"})  # where dialects put bare base64


class Call:
    """The last request sent, and its result."""

    def __init__(self) -> None:
        self._record: ModelCall | None = None

    @property
    def record(self) -> ModelCall:
        """The call for the log; empty if nothing was sent, as when the answer was in a cache."""
        if self._record is None:
            self._record = ModelCall.create({}, None)
        return self._record

    def start(self, body: Mapping[str, Any]) -> None:
        """Show a request in the running event while its answer is awaited."""
        self._record = show_call(body, _without_media)

    def succeed(self, response: CompletionResponse) -> None:
        # Inspect counts all time of an attempt outside the call as waiting. So a time of 0 must not
        # be reported, nor the time of the last of several tries, because all of them were work.
        is_one = response.attempts == 1 and not response.cached
        seconds = (response.latency or None) if is_one else None
        self.record.set_response(response.raw or response.to_dict(), seconds)
        record_response_headers(dict(response.headers))
        self._note_request_id(response.headers, 200)

    def fail(self, error: CompletionError) -> None:
        if isinstance(error, StructuredOutputError) and error.response is not None:
            self.succeed(error.response)
            return
        body = error.body if isinstance(error.body, Mapping) else {"error": str(error)}
        self.record.set_error(body)
        attach_call(self.record)
        self._note_request_id(error.headers, error.status_code or 0)

    def _note_request_id(self, headers: Mapping[str, str], status: int) -> None:
        if (name := request_id_header(headers)) is not None:
            report_request_id(headers[name], header=name, status=status)


def _without_media(key: Any, value: Any) -> Any:
    name = "data" if key in _MEDIA else key
    return REMOVED if is_base64(name, value) else value
