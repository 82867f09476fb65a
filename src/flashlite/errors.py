"""Every error that flashlite raises.

FlashliteError
├── ConfigError                      the caller's: nothing was sent; the message says what to do
├── StoreError                       a cache's store cannot be read or written
├── CacheMiss                        cache="only", and the answer is not stored
├── BudgetExceededError              what is left of the budget cannot pay for it; nothing was sent
└── CompletionError                  the world's: a request was tried and brought no answer
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
        │   └── QuotaExceededError   429 that waiting does not cure
        └── InternalServerError      5xx, 529                                         retried

¹ never after the first event reached the reader.

Whether a failure is worth another try is said by the error (`error.retryable`), not by a list in
whoever asks. The model's own mistakes are no errors here: they are data that the model reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self, TypeVar

E = TypeVar("E", bound="FlashliteError")


class FlashliteError(Exception):
    """Anything that flashlite raises.

    `answers` is what `complete_many` had when it stopped, `messages` the history of a tool loop.
    `usage` (a `Usage`) is what was used before this was raised, as far as it is known.
    """

    answers: Mapping[int, Any] = MappingProxyType({})
    messages: Sequence[Any] = ()
    usage: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process whole, whatever the constructor takes."""
        return _again, (type(self), self.args), self.__dict__

    @property
    def message(self) -> str:
        """The whole sentence, as `str(error)` gives it."""
        return str(self)

    @property
    def may_another_help(self) -> bool:
        """Whether another model may do better: one with a stored answer, or whose server runs."""
        return True

    def copy(self, **changes: Any) -> Self:
        """Return the same error once more, with other attributes; each reader has its own."""
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
    """A store could not be read or written; the message names the file and what to do."""


class CacheMiss(FlashliteError):
    """The call was to be answered from the cache only, and it has no answer; nothing was sent."""


class BudgetExceededError(FlashliteError):
    """What is left of the budget cannot pay for this call; nothing was sent.

    Amounts are US dollars: `limit` is the whole budget, `spent` what is gone, `needed` what this
    call may cost at most.
    """

    def __init__(self, message: str, *, limit: float, spent: float, needed: float) -> None:
        super().__init__(message)
        self.limit = limit
        self.spent = spent
        self.needed = needed


class CompletionError(FlashliteError):
    """A request was tried and brought no answer.

    `reason` is the bare cause, in the server's own words where it gave any; `message` adds whose it
    is. `retryable` says whether the same request may succeed later, `retry_after` how many seconds
    the server asked to wait, `code` the server's slug (`insufficient_quota`), `body` what it
    answered (parsed JSON, else text), `attempts` how many requests were sent in all, `lost` how
    many of those before the last may be billed, though they brought nothing. `was_sent` is False
    where the request surely never left, so that nobody can have been paid for it.
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
        """Whether the provider may have done work for which it asks money."""
        return self.was_sent

    def sign(self, provider: str, model: str) -> None:
        """Say whose error it is, unless that is known."""
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
    """A stream ended before its finish reason: what arrived is not an answer."""


class StructuredOutputError(CompletionError):
    """The model answered, and no answer fitted the `response_model`.

    `response` is the last `CompletionResponse`, `usage` that of all tries.
    """

    def __init__(self, reason: str, *, response: Any = None, usage: Any = None, **facts: Any):
        super().__init__(reason, **facts)
        self.response = response
        self.usage = usage


class APIStatusError(CompletionError):
    """The server answered with an error status."""

    @property
    def may_be_billed(self) -> bool:
        """A refusal costs nothing."""
        return False


class BadRequestError(APIStatusError):
    """The server will never take this request as it is (400, 413, 422)."""

    @property
    def may_another_help(self) -> bool:
        """A wrong request is wrong for every model."""
        return False


class ContextWindowExceededError(BadRequestError):
    """The prompt, or prompt plus `max_tokens`, is longer than the model's context."""

    @property
    def may_another_help(self) -> bool:
        """Another model may have a longer context."""
        return True


class ContentPolicyViolationError(BadRequestError):
    """The provider's content filter refused the request."""

    @property
    def may_another_help(self) -> bool:
        """Another provider may have other rules."""
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
    """A 429 that waiting does not cure: the account is out of credit or quota."""

    retryable = False


class InternalServerError(APIStatusError):
    """The server failed (5xx, or 529 overloaded)."""

    retryable = True
