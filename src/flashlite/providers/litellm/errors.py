"""From what litellm raises to our errors: by status first, then by type, last by its words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...errors import (
    APIConnectionError,
    APITimeoutError,
    CompletionError,
    ConfigError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    MalformedResponseError,
    StreamInterruptedError,
)
from ..openai import error_words
from ..refusals import refusal


def typed(error: Exception, model: str) -> Exception:
    """Map what litellm raised."""
    kind = type(error).__name__
    # Behind its own traceback litellm repeats what it was called with.
    message = str(error).partition("Traceback (most recent call last)")[0].strip()
    if "LLM Provider NOT provided" in message:
        return ConfigError(
            f"no provider is known for {model!r}; for an OpenAI-compatible server write "
            f"openai/{model} and pass base_url=..."
        )
    if kind == "UnsupportedParamsError":
        # What follows is how to lose parameters silently.
        reason = message.removeprefix("litellm.UnsupportedParamsError: ").partition(" To drop")[0]
        return ConfigError(f"litellm cannot send this to {model}: {reason}")
    return _by_kind(kind, error, message)


def _by_kind(kind: str, error: Exception, message: str) -> CompletionError:
    """Map by status first, then by type."""
    status = getattr(error, "status_code", None)
    headers = raw_headers({"additional_headers": getattr(error, "litellm_response_headers", None)})
    if kind == "MidStreamFallbackError":
        return StreamInterruptedError(message)
    if kind == "Timeout" and status == 408 and not headers:
        return APITimeoutError(message)
    is_vague = not isinstance(status, int) or status == 500
    if status == 200 or (is_vague and any(phrase in message for phrase in _GARBLED)):
        return MalformedResponseError(message)
    # Whatever litellm does not understand, it calls status 500 without headers.
    if not isinstance(status, int) or (status == 500 and not headers):
        if cause := _bug(error):
            return CompletionError(f"litellm failed inside: {cause!r} ({message})")
        return APIConnectionError(message)
    body = _body(error, message)
    words, code = (message, None) if body is None else error_words(body)
    typed = refusal(status, words, code=code, headers=headers, body=body)
    named: dict[str, type[CompletionError]] = {
        "ContextWindowExceededError": ContextWindowExceededError,
        "ContentPolicyViolationError": ContentPolicyViolationError,
    }
    return _as(typed, named[kind]) if kind in named else typed


_GARBLED = (
    "Unable to get json response",
    "Invalid response object",
    "Empty or invalid response",
    "Expecting value",
    "Expecting property name",
)


def _as(error: CompletionError, kind: type[CompletionError]) -> CompletionError:
    return kind(
        error.reason,
        status_code=error.status_code,
        code=error.code,
        body=error.body,
        headers=error.headers,
        request_id=error.request_id,
    )


def _bug(error: BaseException) -> BaseException | None:
    """Find a programming error underneath: litellm's catch-all looks like a lost connection."""
    inner = error.__context__
    while inner is not None:
        if isinstance(inner, ImportError | AttributeError | TypeError):
            return inner
        inner = inner.__context__
    return None


def _body(error: Exception, message: str) -> Mapping[str, Any] | None:
    """Return what the server answered: litellm keeps it in `body`, or in its text after a dash."""
    body = getattr(error, "body", None)
    if body is None:
        try:
            body, _ = json.JSONDecoder().raw_decode(message.partition(" - ")[2])
        except ValueError:
            return None
    return body if isinstance(body, Mapping) else None


def raw_headers(hidden: Any) -> dict[str, str]:
    """Return raw headers: litellm gives some as they are and some with a prefix."""
    given = (hidden.get("additional_headers") if isinstance(hidden, Mapping) else None) or {}
    return {
        str(name).lower().removeprefix("llm_provider-"): str(value) for name, value in given.items()
    }
