"""From what a server said when it refused to a typed error; every dialect shares it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
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

_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: BadRequestError,
    422: BadRequestError,
    429: RateLimitError,
    # 501 says that the server will never do it; every other 5xx may pass.
    501: APIStatusError,
}
_RETRYABLE = frozenset({408, 409, 425})
_SHORTEST_SECRET = 8  # characters; a local server's key may be a word such as "none"
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")

# Slugs and phrases of the providers' own error references.
_QUOTA_CODES = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"}
)
_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_CONTEXT_PHRASES = (
    "maximum context length",
    "context length exceeded",
    "exceeds the available context size",
    "exceed context limit",
    "prompt is too long",
    "input is too long",
    "context window",
)
_POLICY_CODES = frozenset({"content_policy_violation", "content_filter", "moderation_blocked"})


def refusal(
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> CompletionError:
    """Return the error for a status, the server's message and its slug.

    Header names are expected in lower case.
    """
    headers = headers or {}
    error = _class_for(status, message, code)(
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


@contextmanager
def signed(provider: str, model: str, *, api_key: str | None) -> Iterator[None]:
    """Say in every error whose it is, and strike the key out of what the server repeats."""
    try:
        yield
    except CompletionError as error:
        error.sign(provider, model)
        if api_key is not None and len(api_key) >= _SHORTEST_SECRET:
            _conceal(error, api_key)
        raise


def request_id_header(headers: Mapping[str, str]) -> str | None:
    """Return the name of the header that holds the server's id of the request, if there is one."""
    return next((name for name in _REQUEST_IDS if name in headers), None)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id that the server gave to a request, under whichever header it uses."""
    name = request_id_header(headers)
    return None if name is None else headers[name]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds a server asks to wait: `retry-after-ms`, seconds, or an HTTP date.

    A date is compared with the server's own `date` header, so no clock has to agree with it.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value or "date" not in headers:
        return seconds
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _conceal(error: CompletionError, secret: str) -> None:
    """Strike a secret out of an error and of its causes, which a traceback would show."""
    for name in ("reason", "code", "request_id", "body", "headers"):
        setattr(error, name, _without(secret, getattr(error, name)))
    error.args = (error.reason,)
    cause = error.__cause__
    if isinstance(cause, CompletionError):
        _conceal(cause, secret)
    elif secret in str(cause):
        error.__cause__ = None


def _without(secret: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(secret, "***")
    if isinstance(value, Mapping):
        return {_without(secret, name): _without(secret, item) for name, item in value.items()}
    return [_without(secret, item) for item in value] if isinstance(value, list) else value


def _class_for(status: int, message: str, code: str | None) -> type[APIStatusError]:
    text = message.lower()
    if status == 429 and (code in _QUOTA_CODES or "exceeded your current quota" in text):
        return QuotaExceededError
    if status in (400, 413, 422):
        if code in _CONTEXT_CODES or any(phrase in text for phrase in _CONTEXT_PHRASES):
            return ContextWindowExceededError
        if code in _POLICY_CODES:
            return ContentPolicyViolationError
    return _BY_STATUS.get(status) or (InternalServerError if status >= 500 else APIStatusError)


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "the server refused"
