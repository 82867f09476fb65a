"""Typed errors from litellm's exceptions: by the server's answer, then by type and message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CompletionError,
    ConfigError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    MalformedResponseError,
    StreamInterruptedError,
)
from ..reading import error_words
from ..refusals import refusal
from .causes import bug, causes, lost_connection, wrong_address
from .settings import missing_setting, plain_words


def typed(error: Exception, model: str, *, was_sent: bool) -> Exception:
    """Map a litellm exception; `was_sent` tells whether the request had been sent by then."""
    kind = type(error).__name__
    # After its own traceback litellm repeats its arguments.
    message = str(error).partition("Traceback (most recent call last)")[0].strip()
    if "LLM Provider NOT provided" in message:
        return ConfigError(
            f"no provider is known for {model!r}; for an OpenAI-compatible server write "
            f"openai/{model} and pass base_url=..."
        )
    if kind == "UnsupportedParamsError":
        # The rest is advice on dropping or rewriting parameters silently.
        reason = message.removeprefix("litellm.UnsupportedParamsError: ").partition(" To drop")[0]
        reason = reason.partition(" OR set `litellm.")[0]
        return ConfigError(f"litellm cannot send this to {model}: {reason}")
    if "Unmapped LLM provider" in message:
        return ConfigError(f"litellm has no such service for {model}")
    if wrong_address(error):
        return ConfigError(
            f"the address of {model} is not one that HTTP knows: {plain_words(message)}"
        )
    answer = _answer(error)
    if not was_sent and answer is None and (missing := missing_setting(error, message, model)):
        return ConfigError(missing)
    return _by_kind(kind, error, message, answer)


class _Answer(NamedTuple):
    """The server's error response, if litellm kept it; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


def _by_kind(kind: str, error: Exception, message: str, answer: _Answer | None) -> CompletionError:
    """Map an exception by status first, then by type."""
    status = answer.status if answer else getattr(error, "status_code", None)
    if kind == "MidStreamFallbackError":
        return StreamInterruptedError(message)
    # litellm reports whatever it does not understand as status 500 without headers.
    is_vague = answer is None and (not isinstance(status, int) or status == 500)
    if status == 200 or (is_vague and any(phrase in message for phrase in _GARBLED)):
        return MalformedResponseError(message)
    if isinstance(error, TimeoutError) or (kind == "Timeout" and answer is None and status == 408):
        return APITimeoutError(message or "litellm's own limit passed")
    if not isinstance(status, int) or (is_vague and kind not in _MAY_BE_A_500) or _is_ours(error):
        return _without_status(error, message)
    body, headers = _body(error, message, answer), answer.headers if answer else {}
    words, code = (message, None) if body is None else error_words(body)
    return refusal(status, words, code=code, headers=headers, body=body, kind=_NAMED.get(kind))


_NAMED: dict[str, type[APIStatusError]] = {
    "ContextWindowExceededError": ContextWindowExceededError,
    "ContentPolicyViolationError": ContentPolicyViolationError,
}
_MAY_BE_A_500 = frozenset({"InternalServerError", "APIError"})
_GARBLED = (
    "Unable to get json response",
    "Invalid response object",
    "Empty or invalid response",
    "Expecting value",
    "Expecting property name",
)


def _is_ours(error: Exception) -> bool:
    """Return whether the failure was on the client's side, whatever status litellm gave it."""
    if _answer(error) is not None or getattr(error, "status_code", None) != 500:
        return False
    return lost_connection(error) is not None or bug(error) is not None


def _without_status(error: Exception, message: str) -> CompletionError:
    """Map a failure without a server's answer; litellm's catch-all looks like a lost connection."""
    cause = lost_connection(error)
    if cause is not None:
        return APITimeoutError(message) if cause.is_timeout else APIConnectionError(message)
    inner = bug(error) or next(iter(causes(error)), error)
    return CompletionError(f"litellm failed inside: {inner!r} ({message})")


def _answer(error: BaseException) -> _Answer | None:
    """Return the server's answer from the error or its causes, or None."""
    told = raw_headers(getattr(error, "litellm_response_headers", None))
    for cause in (error, *causes(error)):
        response = getattr(cause, "response", None)
        status = getattr(response, "status_code", None)
        headers = raw_headers(getattr(response, "headers", None))
        if isinstance(status, int) and headers.keys() - _INVENTED:
            return _Answer(status, headers, _text(response))
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and told.keys() - _INVENTED:
        return _Answer(status, told, "")
    return None


# Without a server's answer, litellm invents a response with only these headers.
_INVENTED = frozenset({"content-length", "content-type"})


def _text(response: Any) -> str:
    try:
        text = response.text
    except RuntimeError:  # a stream that was not read
        return ""
    return text if isinstance(text, str) else ""


def _body(error: Exception, message: str, answer: _Answer | None) -> Mapping[str, Any] | None:
    """Return the body that the server sent: litellm keeps it whole, in `body`, or after a dash."""
    for text in (answer.text if answer else "", message.partition(" - ")[2]):
        try:
            body, _ = json.JSONDecoder().raw_decode(text.strip())
        except ValueError:
            body = None
        if isinstance(body, Mapping):
            return body
    body = getattr(error, "body", None)
    return body if isinstance(body, Mapping) else None


def raw_headers(given: Any) -> dict[str, str]:
    """Return the server's headers: litellm adds a prefix to some of them."""
    return {
        str(name).lower().removeprefix("llm_provider-"): str(value)
        for name, value in dict(given or {}).items()
    }
