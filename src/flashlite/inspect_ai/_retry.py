"""Which failures Inspect retries, and when."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from inspect_ai.model import RetryDecision
from tenacity.wait import wait_base

from ..errors import AuthenticationError, CompletionError, RateLimitError

if TYPE_CHECKING:
    from tenacity import RetryCallState

_FIRST, _LONGEST = 3.0, 120.0


def decide(error: BaseException) -> RetryDecision:
    """Return Inspect's retry decision for an error, from its `retryable` and `retry_after`."""
    if not isinstance(error, CompletionError) or not error.retryable:
        return RetryDecision.no()
    if isinstance(error, RateLimitError):
        return RetryDecision.rate_limit(error.retry_after)
    return RetryDecision.transient(error.retry_after)


def is_auth_failure(error: BaseException) -> bool:
    """Whether fresh credentials may help."""
    return isinstance(error, AuthenticationError)


class RetryAfterWait(wait_base):
    """Waits as long as the server asked, else 3 s doubling up to two minutes, with jitter.

    Inspect records a provider's Retry-After but does not wait for it; this does. Inspect's default
    backs off up to half an hour, which stalls runs long after a provider is back.
    """

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, CompletionError) else None
        if asked is not None:
            # A server that always asks for 0 seconds must not be flooded.
            floor = min(_FIRST, 0.1 * retry_state.attempt_number)
            return max(asked * random.uniform(1.0, 1.1), floor)
        doublings = min(retry_state.attempt_number - 1, 16)
        return min(_LONGEST, _FIRST * 2.0**doublings + random.uniform(0, _FIRST))
