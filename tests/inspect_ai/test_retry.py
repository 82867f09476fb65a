"""What Inspect is told about failures."""

from __future__ import annotations

import pytest
from inspect_ai.model import RetryDecision
from tenacity import Future, RetryCallState, Retrying

from flashlite.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    CompletionError,
    ConfigError,
    InternalServerError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimitError,
)
from flashlite.inspect_ai._retry import RetryAfterWait, decide, is_auth_failure


def _after(error: Exception, *, attempt: int = 1) -> float:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    state.outcome = Future.construct(attempt, error, has_exception=True)
    return RetryAfterWait()(state)


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (RateLimitError("slow", retry_after=3), RetryDecision.rate_limit(3)),
        (InternalServerError("down"), RetryDecision.transient()),
        (APIConnectionError("reset"), RetryDecision.transient()),
        (APITimeoutError("late"), RetryDecision.transient()),
        (MalformedResponseError("html"), RetryDecision.transient()),
        (QuotaExceededError("no credit", retry_after=3), RetryDecision.no()),
        (AuthenticationError("who?"), RetryDecision.no()),
        (BadRequestError("what?"), RetryDecision.no()),
        (ConfigError("no key"), RetryDecision.no()),
        (ValueError("a bug"), RetryDecision.no()),
    ],
)
def test_a_failure_is_classified_by_what_it_says(error: Exception, decision: RetryDecision) -> None:
    assert decide(error) == decision


@pytest.mark.parametrize(
    ("error", "is_one"), [(AuthenticationError("x"), True), (CompletionError("x"), False)]
)
def test_only_a_wrong_key_is_an_auth_failure(error: Exception, is_one: bool) -> None:
    assert is_auth_failure(error) is is_one


def test_retry_after_is_waited_and_hardly_more() -> None:
    waits = [_after(RateLimitError("slow", retry_after=20.0), attempt=n) for n in range(1, 50)]
    assert all(20.0 <= wait <= 22.0 for wait in waits)


def test_without_retry_after_waits_double_up_to_two_minutes() -> None:
    waits = [_after(InternalServerError("down"), attempt=n) for n in (1, 2, 3, 10, 10_000)]
    lows = [3.0, 6.0, 12.0, 120.0, 120.0]
    assert all(low <= wait <= min(low + 3.0, 120.0) for low, wait in zip(lows, waits, strict=True))
