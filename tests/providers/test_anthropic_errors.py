"""What Anthropic says when it does not answer, and the error that it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import (
    AuthenticationError,
    BadRequestError,
    CompletionError,
    ConfigError,
    ContextWindowExceededError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply

from .test_anthropic_answers import AN_ANSWER

NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
    "upgrade or purchase credits."
)


async def fail(reply: Reply) -> CompletionError:
    client = Flashlite(
        "anthropic/m",
        api_key="sk-ant-0123456789",
        transport=ReplayTransport([reply]),
        retry=RetryConfig(max_attempts=1),
    )
    with pytest.raises(CompletionError) as caught:
        await client.complete("Hi")
    return caught.value


@pytest.mark.parametrize(
    ("status", "slug", "message", "kind", "retryable"),
    [
        (400, "invalid_request_error", "max_tokens: Field required", BadRequestError, False),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            ContextWindowExceededError,
            False,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            ContextWindowExceededError,
            False,
        ),
        (400, "invalid_request_error", NO_CREDIT, QuotaExceededError, False),
        (402, "billing_error", NO_CREDIT, QuotaExceededError, False),
        (401, "authentication_error", "invalid x-api-key", AuthenticationError, False),
        (403, "permission_error", "No.", PermissionDeniedError, False),
        (404, "not_found_error", "model: m", NotFoundError, False),
        (413, "request_too_large", "Request exceeds the maximum size", BadRequestError, False),
        (429, "rate_limit_error", "Slow down.", RateLimitError, True),
        (500, "api_error", "Internal server error", InternalServerError, True),
        (504, "timeout_error", "Too slow.", InternalServerError, True),
        (529, "overloaded_error", "Overloaded", InternalServerError, True),
    ],
)
async def test_a_refusal_is_a_typed_error_with_its_request(
    status: int, slug: str, message: str, kind: type[CompletionError], retryable: bool
) -> None:
    body = {"type": "error", "error": {"type": slug, "message": message}, "request_id": "req_1"}
    headers = {"request-id": "req_1", "retry-after": "7"}
    error = await fail(Reply.of(body, status=status, headers=headers))
    told = (type(error), error.reason, error.status_code, error.code, error.request_id)
    assert told == (kind, message, status, slug, "req_1")
    assert (error.retryable, error.retry_after, error.body) == (retryable, 7.0, body)


@pytest.mark.parametrize(
    ("slug", "status", "kind"),
    [
        ("overloaded_error", 529, InternalServerError),
        ("request_too_large", 413, BadRequestError),
        ("timeout_error", 504, InternalServerError),
        ("api_error", 500, InternalServerError),
    ],
)
async def test_a_refusal_inside_a_200_is_the_same(
    slug: str, status: int, kind: type[CompletionError]
) -> None:
    error = await fail(Reply.of({"type": "error", "error": {"type": slug, "message": "No."}}))
    assert (type(error), error.status_code, error.reason) == (kind, status, "No.")


@pytest.mark.parametrize("reply", [{}, {"content": None}, {"content": "Hi"}, {"content": ["Hi"]}])
async def test_what_is_no_message_is_malformed(reply: Any) -> None:
    error = await fail(Reply.of(reply))
    assert type(error) is MalformedResponseError
    assert error.reason.startswith("status 200, but not an answer: ")


async def test_a_missing_key_is_named_and_nothing_is_sent() -> None:
    transport = ReplayTransport([])
    with pytest.raises(ConfigError) as caught:
        await Flashlite(transport=transport).complete("Hi", model="claude-sonnet-4-5")
    assert str(caught.value) == (
        "no API key for anthropic: set ANTHROPIC_API_KEY, or pass api_key=..."
    )
    assert transport.requests == []


async def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-the-environment")
    transport = ReplayTransport([Reply.of(AN_ANSWER)])
    await Flashlite(transport=transport).complete("Hi", model="claude-sonnet-4-5")
    assert transport.requests[0].headers == {
        "anthropic-version": "2023-06-01",
        "x-api-key": "from-the-environment",
    }
