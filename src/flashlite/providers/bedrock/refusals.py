"""Parsing AWS's errors, before an answer or in the middle of one.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import (
    APIStatusError,
    AuthenticationError,
    CompletionError,
    QuotaExceededError,
)
from ..reading import from_json
from ..refusals import refusal

_FAILED_MODEL = 424  # AWS advises to retry
_STATUS_OF = {
    "AccessDeniedException": 403,
    "ModelErrorException": _FAILED_MODEL,
    "ModelStreamErrorException": _FAILED_MODEL,
    "ModelTimeoutException": 408,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "ValidationException": 400,
}
# Wrong or expired keys: AWS sends 403 where others send 401.
_KEYS = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
    """Parse an error response; its code is in a header, or in the body of older services."""
    said = _read(body)
    slug = headers.get("x-amzn-errortype") or _text(said, "__type") or ""
    code = slug.partition(":")[0].rpartition("#")[2] or None
    return _refusal(status, said, code, headers=headers)


def read_broken_stream(slug: str, body: bytes) -> CompletionError:
    """Parse an exception in the middle of a stream, where codes begin in lower case."""
    code = slug[:1].upper() + slug[1:]
    return _refusal(_STATUS_OF.get(code, 500), _read(body), code)


def _refusal(status: int, said: Any, code: str | None, **facts: Any) -> CompletionError:
    message = _text(said, "message") or _text(said, "Message") or (str(said) if said else "")
    kind = _kind(message, code)
    error = refusal(status, message[:2000], code=code, body=said, kind=kind, **facts)
    if status == _FAILED_MODEL:
        error.retryable = True
    return error


def _kind(message: str, code: str | None) -> type[APIStatusError] | None:
    if code in _KEYS:
        return AuthenticationError
    if code == "ServiceQuotaExceededException":
        return QuotaExceededError
    if code == "ThrottlingException" and "tokens per day" in message.lower():
        return QuotaExceededError
    return None


def _read(body: bytes) -> Any:
    try:
        return from_json(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace").strip()


def _text(said: Any, name: str) -> str | None:
    value = said.get(name) if isinstance(said, Mapping) else None
    return value if isinstance(value, str) else None
