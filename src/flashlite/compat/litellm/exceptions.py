"""litellm's names for what goes wrong.

Most are this engine's own errors. Where litellm has more kinds, an error leaves this door as a
subclass: it is caught by its name here and by its name in `flashlite`. Unlike there, `APIError` is
every failure of a call, so it is caught last. A call that cannot work as written is a
BadRequestError, as it is there, and a ConfigError too; nothing was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    CompletionError,
    ConfigError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    FlashliteError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    StructuredOutputError,
)

APIError = CompletionError
APIResponseValidationError = MalformedResponseError
JSONSchemaValidationError = StructuredOutputError
OpenAIError = FlashliteError
Timeout = APITimeoutError


class InvalidRequestError(ConfigError, BadRequestError):
    """The call cannot work as written; nothing was sent."""

    was_sent = False


UnsupportedParamsError = InvalidRequestError


class UnprocessableEntityError(BadRequestError):
    """The server understood the request and cannot do what it says (422)."""


class BadGatewayError(InternalServerError):
    """A server in between got no answer (502)."""


class ServiceUnavailableError(InternalServerError):
    """The server is overloaded or down (503)."""


@contextmanager
def litellms_kinds() -> Iterator[None]:
    """Let errors leave as what litellm calls them, with all that they say."""
    try:
        yield
    except InvalidRequestError:
        raise
    except ConfigError as error:
        raise InvalidRequestError(str(error)) from error
    except CompletionError as error:
        kind = _KINDS.get((type(error), error.status_code))
        if kind is None:
            raise
        named = kind(error.reason)
        vars(named).update(vars(error))
        raise named from error


_KINDS: dict[tuple[type, int | None], type[CompletionError]] = {
    (BadRequestError, 422): UnprocessableEntityError,
    (InternalServerError, 502): BadGatewayError,
    (InternalServerError, 503): ServiceUnavailableError,
}

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "BudgetExceededError",
    "ContentPolicyViolationError",
    "ContextWindowExceededError",
    "InternalServerError",
    "InvalidRequestError",
    "JSONSchemaValidationError",
    "NotFoundError",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "ServiceUnavailableError",
    "Timeout",
    "UnprocessableEntityError",
    "UnsupportedParamsError",
]
