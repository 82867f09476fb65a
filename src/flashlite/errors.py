"""Every error that flashlite raises.

FlashliteError
├── ConfigError                      nothing was sent; the message says what to write instead
├── StoreError                       a cache's store cannot be read or written
├── CacheMiss                        cache="only", and the answer is not stored
├── BudgetExceededError              the rest of the budget cannot pay for it; nothing was sent
└── CompletionError                  a request was tried and brought no answer
    ├── APIConnectionError           no connection, or it broke before the answer     retried
    ├── APITimeoutError              connect, idle or total limit passed              retried
    ├── MalformedResponseError       status 200, but not an answer                    retried
    │   └── StreamInterruptedError   the stream ended before its finish reason        retried ¹
    ├── StructuredOutputError        the answers never fitted the response_model
    └── APIStatusError               the server refused
        ├── BadRequestError          400, 413, 422
        │   ├── ContextWindowExceededError
        │   └── ContentPolicyViolationError
        ├── AuthenticationError      401
        ├── PermissionDeniedError    403
        ├── NotFoundError            404
        ├── RateLimitError           429                                              retried
        │   └── QuotaExceededError   429 that waiting does not help
        └── InternalServerError      5xx, 529                                         retried

¹ never after the first event reached the reader.

Each error says whether a retry may help (`error.retryable`); callers keep no list of such errors.
The model's own mistakes are not errors here: they are data that the model reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self, TypeVar

E = TypeVar("E", bound="FlashliteError")


class FlashliteError(Exception):
    """The base class of all errors that flashlite raises.

    `answers` has the answers that `complete_many` had when it stopped, by position; `messages` is
    the history of a tool loop. `usage` (a `Usage`) is what was used before the error was raised,
    None if unknown.
    """

    answers: Mapping[int, Any] = MappingProxyType({})
    messages: Sequence[Any] = ()
    usage: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the whole error, whatever arguments the constructor takes."""
        return _again, (type(self), self.args), self.__dict__

    @property
    def message(self) -> str:
        """The full message, the same as `str(error)`."""
        return str(self)

    @property
    def may_another_help(self) -> bool:
        """Whether another model may succeed, because its answer is stored or its server is up."""
        return True

    def copy(self, **changes: Any) -> Self:
        """Return a copy with some attributes changed, so that each reader has its own error."""
        copied = _again(type(self), self.args)
        copied.__dict__.update(self.__dict__, **changes)
        return copied


def _again(kind: type[E], arguments: tuple[Any, ...]) -> E:
    error = kind.__new__(kind)
    error.args = arguments
    return error


class ConfigError(FlashliteError):
    """The call cannot work as written; nothing was sent."""


class StoreError(FlashliteError):
    """A store or a saved file could not be read or written; the message says why."""


class CacheMiss(FlashliteError):
    """The call had `cache="only"` and its answer is not stored; nothing was sent."""


class BudgetExceededError(FlashliteError):
    """The rest of the budget cannot pay for this call; nothing was sent.

    Amounts are US dollars: `limit` is the whole budget, `spent` the part already spent, `needed`
    the most that this call may cost.
    """

    def __init__(self, message: str, *, limit: float, spent: float, needed: float) -> None:
        super().__init__(message)
        self.limit = limit
        self.spent = spent
        self.needed = needed


class CompletionError(FlashliteError):
    """A request was tried and brought no answer.

    `reason` is the bare cause, in the server's own words if it gave any; `message` adds the
    provider, the model, the status and the attempts. `retryable` says whether the same request may
    succeed later, `retry_after` is how many seconds the server asked to wait, `code` the server's
    error code (`insufficient_quota`), `body` its answer (parsed JSON, else text), `attempts` how
    many requests were sent in all, and `lost` how many of those before the last may be billed
    although they failed. `was_sent` is False if the request certainly never left, so that it
    cannot be billed.
    """

    retryable = False
    was_sent = True

    def __init__(
        self,
        reason: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.provider = provider
        self.model = model
        self.status_code = status_code
        self.code = code
        self.body = body
        self.headers = headers or {}
        self.request_id = request_id
        self.retry_after = retry_after
        self.attempts = 1
        self.lost = 0

    @property
    def may_be_billed(self) -> bool:
        """Whether the provider may charge for the failed request."""
        return self.was_sent

    def sign(self, provider: str, model: str) -> None:
        """Set the provider and the model that the error comes from, unless they are set."""
        self.provider = self.provider or provider
        self.model = self.model or model

    def __str__(self) -> str:
        facts = [
            f"status {self.status_code}" if self.status_code is not None else None,
            f"request {self.request_id}" if self.request_id else None,
            f"asked to wait {self.retry_after:g} s" if self.retry_after is not None else None,
            f"{self.attempts} attempts" if self.attempts > 1 else None,
        ]
        subject = "/".join(name for name in (self.provider, self.model) if name)
        known = ", ".join(fact for fact in facts if fact)
        return (f"{subject}: " if subject else "") + self.reason + (f" ({known})" if known else "")


class APIConnectionError(CompletionError):
    """The server could not be reached, or the connection broke before it answered."""

    retryable = True


class APITimeoutError(CompletionError):
    """A connect, idle or total limit passed; a builtin `TimeoutError` never leaves the engine."""

    retryable = True


class MalformedResponseError(CompletionError):
    """The server said 200 and sent something that is not an answer."""

    retryable = True


class StreamInterruptedError(MalformedResponseError):
    """A stream ended before its finish reason, so what arrived is not a whole answer."""


class StructuredOutputError(CompletionError):
    """The model answered, but no answer fitted the `response_model`.

    `response` is the last `CompletionResponse`; `usage` is the sum of all tries.
    """

    def __init__(self, reason: str, *, response: Any = None, usage: Any = None, **facts: Any):
        super().__init__(reason, **facts)
        self.response = response
        self.usage = usage


class APIStatusError(CompletionError):
    """The server answered with an error status."""

    @property
    def may_be_billed(self) -> bool:
        """False: a refused request costs nothing."""
        return False


class BadRequestError(APIStatusError):
    """The server will never take this request as it is (400, 413, 422)."""

    @property
    def may_another_help(self) -> bool:
        """False: an invalid request is invalid for every model."""
        return False


class ContextWindowExceededError(BadRequestError):
    """The prompt, or prompt plus `max_tokens`, is longer than the model's context."""

    @property
    def may_another_help(self) -> bool:
        """True: another model may have a longer context."""
        return True


class ContentPolicyViolationError(BadRequestError):
    """The provider's content filter refused the request."""

    @property
    def may_another_help(self) -> bool:
        """True: another provider may have other rules."""
        return True


class AuthenticationError(APIStatusError):
    """The key is missing, wrong or expired (401)."""


class PermissionDeniedError(APIStatusError):
    """The key is known but may not do this (403)."""


class NotFoundError(APIStatusError):
    """No such model or address (404)."""


class RateLimitError(APIStatusError):
    """Too many requests for now (429); `retry_after` is the wait that the server asked for."""

    retryable = True


class QuotaExceededError(RateLimitError):
    """The account is out of credit or quota (402, or a 429 that waiting does not help)."""

    retryable = False


class InternalServerError(APIStatusError):
    """The server failed (5xx, or 529 overloaded)."""

    retryable = True
