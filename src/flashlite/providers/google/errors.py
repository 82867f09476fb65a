"""Typed errors from Google's error objects.

Source: https://cloud.google.com/apis/design/errors: `{"error": {"code", "message", "status",
"details"}}`, alone or in a list; each detail has an `@type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from ...errors import (
    APIStatusError,
    AuthenticationError,
    CompletionError,
    QuotaExceededError,
    RateLimitError,
)
from .. import reading
from ..reading import error_words, from_json, name_in
from ..refusals import inner_status, refusal

_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
_NOTHING = re.compile(r"\blimit: 0\b")
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d+)?)s")


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
    """Parse an error response."""
    try:
        data = from_json(body)
    except (ValueError, RecursionError):
        return reading.read_error(status, headers, body)
    return _refusal(status, headers, data[0] if isinstance(data, list) and data else data)


def inner_error(data: Mapping[str, Any]) -> CompletionError:
    """Return the error that came inside a 200."""
    return _refusal(inner_status(data["error"]), {}, data)


def _refusal(status: int, headers: Mapping[str, str], data: Any) -> CompletionError:
    message, _ = error_words(data)
    inner = data.get("error") if isinstance(data, Mapping) else None
    inner = inner if isinstance(inner, Mapping) else {}
    told = inner.get("details")
    details = [item for item in told if isinstance(item, Mapping)] if _is_list(told) else []
    reasons = [item["reason"] for item in details if isinstance(item.get("reason"), str)]
    error = refusal(
        status,
        message,
        code=name_in(next(iter(reasons), inner.get("status"))),
        headers=headers,
        body=data,
        kind=_kind(status, message, details, reasons),
    )
    if error.retry_after is None:
        error.retry_after = _wait(details)
    return error


def _kind(
    status: int, message: str, details: Iterable[Mapping[str, Any]], reasons: Iterable[str]
) -> type[APIStatusError] | None:
    """Return the error's class where the status does not determine it.

    A bad key gets a 400. A 429 says "exceeded your current quota" for a per-minute limit too;
    waiting does not help only for a daily limit or a limit of zero.
    """
    if status == 400 and not _KEY_REASONS.isdisjoint(reasons):
        return AuthenticationError
    if status != 429:
        return None
    is_lasting = _NOTHING.search(message) or any(map(_is_daily, details))
    return QuotaExceededError if is_lasting else RateLimitError


def _is_daily(detail: Mapping[str, Any]) -> bool:
    violations = detail.get("violations")
    return _is_list(violations) and any(
        isinstance(violation, Mapping) and "PerDay" in str(violation.get("quotaId"))
        for violation in violations
    )


def _wait(details: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the seconds to wait from a RetryInfo, which has the form `"39.5s"`."""
    found = (_SECONDS.fullmatch(str(detail.get("retryDelay"))) for detail in details)
    return next((float(match[1]) for match in found if match), None)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
