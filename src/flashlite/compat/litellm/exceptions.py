"""litellm's exceptions.

Most are flashlite's own errors. Where litellm has more classes, a subclass is raised, which can be
caught by its name here and by its name in `flashlite`. Unlike in litellm, `APIError` is the base of
all failures of a call, so catch it last. A call that is invalid as written raises a
BadRequestError, as in litellm, which is also a ConfigError; nothing was sent.
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
    """The call is invalid as written; nothing was sent."""

    was_sent = False


UnsupportedParamsError = InvalidRequestError


class UnprocessableEntityError(BadRequestError):
    """The server understood the request but cannot process it (422)."""


class BadGatewayError(InternalServerError):
    """A gateway got no valid answer from the server behind it (502)."""


class ServiceUnavailableError(InternalServerError):
    """The server is overloaded or down (503)."""


@contextmanager
def litellms_kinds() -> Iterator[None]:
    """Raise errors as litellm's classes, with all their attributes."""
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
