"""Typed errors from a server's error responses, shared by all dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from http import HTTPStatus
from typing import Any

from ..errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    CompletionError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)
from ..types import SHORTEST_SECRET, secrets_in
from ..types.header_values import number_in, seconds_until

_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: BadRequestError,
    422: BadRequestError,
    429: RateLimitError,
    498: ContentPolicyViolationError,  # Cohere's
    # 501 is permanent; every other 5xx may be temporary.
    501: APIStatusError,
}
_RETRYABLE = frozenset({408, 409, 425})
_DEEPEST = 60  # maximum nesting of an error's body
_REQUEST_IDS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-amzn-requestid",
    "cf-ray",
)

# Error codes and phrases from the providers' own error references.
_QUOTA_CODES = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"}
)
_QUOTA_PHRASES = ("exceeded your current quota", "credit balance is too low")
_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_CONTEXT_PHRASES = (
    "maximum context length",
    "context length exceeded",
    "exceeds the available context size",
    "exceed context limit",
    "prompt is too long",
    "input is too long",
    "too many input tokens",
    "input tokens exceeded",
    "context window",
    "maximum number of tokens allowed",
    "input token count",
    "tokens in the prompt cannot exceed",
)
_POLICY_CODES = frozenset(
    {
        "bio_policy",
        "content_filter",
        "content_policy_violation",
        "cyber_policy",
        "image_content_policy_violation",
        "invalid_prompt",
        "moderation_blocked",
    }
)

# Codes of OpenAI's Responses API for media that it cannot use.
_MEDIA_CODES = frozenset(
    {
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "unsupported_image_media_type",
    }
)
# The HTTP statuses that the codes of errors inside a 200 stand for.
_STATUS_OF = {
    "authentication_error": 401,
    "badrequesterror": 400,
    "billing_error": 402,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found_error": 404,
    "notfounderror": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "requests": 429,
    "timeout_error": 504,
    "tokens": 429,
    **dict.fromkeys(_QUOTA_CODES, 429),
    **dict.fromkeys(_CONTEXT_CODES | _MEDIA_CODES | _POLICY_CODES, 400),
}


def refusal(
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    kind: type[APIStatusError] | None = None,
) -> CompletionError:
    """Return the error for a status, the server's message and its error code.

    Header names are expected in lower case. `kind` overrides the error's class where a dialect
    knows better.
    """
    headers = headers or {}
    error = (kind or _class_for(status, message, code))(
        message or _phrase(status),
        status_code=status,
        code=code,
        body=body,
        headers=headers,
        request_id=request_id(headers),
        retry_after=retry_after(headers),
    )
    if status in _RETRYABLE:
        error.retryable = True
    return error


def inner_status(error: Any) -> int:
    """Return the status that an error inside a 200 stands for: its number, else its code's.

    Servers put it under `code`, `status` or `type`, as a number or as text; the default is 500.
    """
    said = error if isinstance(error, Mapping) else {}
    for value in (said.get("code"), said.get("status"), said.get("type")):
        if isinstance(value, str):
            value = int(value) if value.isdecimal() else _STATUS_OF.get(value.lower())
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return 500


@dataclass(slots=True)
class signed:
    """Adds provider, model and request id to errors, and removes keys that the server repeats.

    `sent` are the headers of the request, which contain secrets; `received` those of the answer.
    """

    provider: str
    model: str
    _: KW_ONLY
    api_key: str | None
    sent: Mapping[str, str] | None = None
    received: Mapping[str, str] | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: Any) -> None:
        if isinstance(error, CompletionError):
            error.sign(self.provider, self.model)
            if self.received and not error.headers:
                error.headers, error.request_id = self.received, request_id(self.received)
            for secret in _secrets(self.api_key, self.sent or {}):
                _conceal(error, secret)


def _secrets(api_key: str | None, headers: Mapping[str, str]) -> set[str]:
    hidden = list(secrets_in(headers))
    words = [api_key or "", *hidden, *(value.rpartition(" ")[2] for value in hidden)]
    return {word for word in words if len(word) >= SHORTEST_SECRET}


def request_id_header(headers: Mapping[str, str]) -> str | None:
    """Return the name of the header with the server's request id, if there is one."""
    return next((name for name in _REQUEST_IDS if name in headers), None)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of a request, from whichever header it uses."""
    name = request_id_header(headers)
    return None if name is None else headers[name]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait: from `retry-after-ms`, seconds, or an HTTP date.

    A date is compared with the server's own `date` header, so the clocks need not agree.
    """
    milliseconds = number_in(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = number_in(value)
    return seconds_until(value, headers.get("date")) if seconds is None else seconds


def _conceal(error: CompletionError, secret: str) -> None:
    """Remove a secret from an error and its causes, which a traceback would show."""
    for name in ("reason", "code", "request_id", "body", "headers"):
        setattr(error, name, _without(secret, getattr(error, name)))
    error.args = (error.reason,)
    cause = error.__cause__
    if isinstance(cause, CompletionError):
        _conceal(cause, secret)
    elif secret in str(cause):
        error.__cause__ = None


def _without(secret: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.replace(secret, "***")
    if not isinstance(value, Mapping | list):
        return value
    if depth == _DEEPEST:
        return "<nested too deeply>"
    if isinstance(value, list):
        return [_without(secret, item, depth + 1) for item in value]
    return {
        _without(secret, name): _without(secret, item, depth + 1) for name, item in value.items()
    }


def _class_for(status: int, message: str, code: str | None) -> type[APIStatusError]:
    text = message.lower()
    if status in (400, 402, 429) and (
        code in _QUOTA_CODES or any(phrase in text for phrase in _QUOTA_PHRASES)
    ):
        return QuotaExceededError
    is_policy = code in _POLICY_CODES or "content filtering policy" in text
    if status in (400, 403, 413, 422) and is_policy:
        return ContentPolicyViolationError
    if status in (400, 413, 422) and (
        code in _CONTEXT_CODES or any(phrase in text for phrase in _CONTEXT_PHRASES)
    ):
        return ContextWindowExceededError
    return _BY_STATUS.get(status) or (InternalServerError if status >= 500 else APIStatusError)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "the server refused"
