"""Limit headers: what each server says, and what that means for the next minute."""

from __future__ import annotations

from math import inf

import pytest

from flashlite.middleware.limit_headers import ServerLimits, read_duration, read_limits
from flashlite.middleware.windows import UNLIMITED, Amount


def _limits(**known: float) -> Amount:
    return UNLIMITED._replace(**known)


def _openai(name: str, limit: object, remaining: object, reset: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{name}": str(limit),
        f"x-ratelimit-remaining-{name}": str(remaining),
        f"x-ratelimit-reset-{name}": reset,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3s", 3723.0),
        ("2m59.56s", 179.56),
        ("7.66s", 7.66),
        ("1d", 86400.0),
        ("120µs", 0.00012),
        ("12", 12.0),
        ("33011.38", 33011.38),
        ("0s", 0.0),
        ("", None),
        (None, None),
        ("soon", None),
        ("1s later", None),
        ("-1s", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("2026-01-27T12:00:00Z", None),
    ],
)
def test_durations_are_read_as_go_writes_them(text: str | None, seconds: float | None) -> None:
    assert read_duration(text) == (None if seconds is None else pytest.approx(seconds))


def test_no_headers_say_nothing() -> None:
    assert read_limits({"content-type": "application/json"}) == ServerLimits(UNLIMITED)


def test_openais_example_is_read() -> None:
    headers = _openai("requests", 60, 59, "1s") | _openai("tokens", 150000, 149984, "6m0s")
    assert read_limits(headers) == ServerLimits(_limits(requests=60, tokens=150000))


def test_openais_limit_of_a_project_counts_where_it_is_lower() -> None:
    headers = _openai("tokens", 150000, 9, "1s") | _openai("project-tokens", 60000, 57000, "3s")
    assert read_limits(headers).limits == _limits(tokens=60000)


@pytest.mark.parametrize(
    ("limit", "remaining", "reset"),
    [
        (10000, 9999, "8.64s"),  # gpt-4o-mini in the lowest tier
        (200, 199, "7m12s"),
        (14400, 14370, "2m59.56s"),  # Groq
        (200, 0, "23h59m8s"),
    ],
)
def test_a_limit_of_a_day_is_not_taken_for_one_of_a_minute(
    limit: int, remaining: int, reset: str
) -> None:
    assert read_limits(_openai("requests", limit, remaining, reset)) == ServerLimits(UNLIMITED)


@pytest.mark.parametrize(
    ("limit", "remaining", "reset"),
    [
        (10000, 9999, "6ms"),
        (500, 499, "120ms"),
        (20000, 19999, "3"),  # whole seconds tell nothing
        (500, 500, "0s"),
        (500, 0, "60s"),
    ],
)
def test_a_limit_of_a_minute_is_known_by_how_soon_it_is_whole_again(
    limit: int, remaining: int, reset: str
) -> None:
    said = read_limits(_openai("requests", limit, remaining, reset))
    assert said.limits == _limits(requests=limit)


def test_azure_says_how_many_seconds_its_limit_is_for() -> None:
    headers = _openai("requests", 50, 45, "3") | {"x-ratelimit-renewalperiod-requests": "10"}
    assert read_limits(headers).limits == _limits(requests=300)
    headers["x-ratelimit-renewalperiod-requests"] = "86400"
    assert read_limits(headers).limits == UNLIMITED


def test_cerebras_and_mistral_name_the_minute_and_the_day() -> None:
    headers = {
        **_openai("requests-day", 14400, 0, "33011.38"),
        **_openai("tokens-minute", 60000, 50, "26.5"),
        "x-ratelimit-limit-req-minute": "30",
    }
    assert read_limits(headers) == ServerLimits(_limits(requests=30, tokens=60000))


def test_nothing_left_means_a_pause_until_the_reset() -> None:
    headers = _openai("requests", 60, 0, "12s") | _openai("tokens", 9000, 0, "30.5s")
    assert read_limits(headers).pause == 30.5


def test_a_reset_counts_from_when_the_request_was_sent() -> None:
    headers = _openai("requests", 60, 0, "12s")
    assert read_limits(headers, age=5).pause == 7.0
    assert read_limits(headers, age=20).pause == 0.0


def test_a_pause_of_hours_is_none() -> None:
    assert read_limits(_openai("requests", 200, 0, "7h12m0s")).pause == 0.0


def test_something_left_means_no_pause() -> None:
    assert read_limits(_openai("requests", 60, 1, "59s")).pause == 0.0


@pytest.mark.parametrize("limit", ["0", "-1", "", "unlimited"])
def test_a_limit_that_is_none_is_not_read(limit: str) -> None:
    assert read_limits(_openai("requests", limit, 0, "1m")) == ServerLimits(UNLIMITED)


def test_azures_remaining_alone_is_read() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9"}
    assert read_limits(headers) == ServerLimits(UNLIMITED, 9.0)


def test_bare_limits_of_an_unknown_period_are_not_read() -> None:
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    assert read_limits(headers) == ServerLimits(UNLIMITED)


def _anthropic(name: str, limit: int, remaining: int, reset: str) -> dict[str, str]:
    return {
        f"anthropic-ratelimit-{name}-limit": str(limit),
        f"anthropic-ratelimit-{name}-remaining": str(remaining),
        f"anthropic-ratelimit-{name}-reset": reset,
    }


def test_anthropics_limits_are_read_apart() -> None:
    headers = {
        **_anthropic("requests", 1000, 999, "2026-01-27T12:00:01Z"),
        **_anthropic("tokens", 120000, 118000, "2026-01-27T12:00:01Z"),
        **_anthropic("input-tokens", 100000, 75000, "2026-01-27T12:00:10Z"),
        **_anthropic("output-tokens", 20000, 18000, "2026-01-27T12:00:05Z"),
        "date": "Tue, 27 Jan 2026 12:00:00 GMT",
    }
    assert read_limits(headers) == ServerLimits(Amount(1000, 100000, 20000, 120000))


def test_anthropics_reset_is_compared_with_the_servers_own_clock() -> None:
    headers = _anthropic("output-tokens", 8000, 0, "2026-01-27T12:00:21Z")
    assert read_limits(headers).pause == 0.0
    headers["date"] = "Tue, 27 Jan 2026 12:00:00 GMT"
    assert read_limits(headers, age=5).pause == 21.0


@pytest.mark.parametrize(
    ("reset", "date", "pause"),
    [
        ("soon", "Tue, 27 Jan 2026 12:00:00 GMT", 0.0),
        ("2026-01-27T12:00:21Z", "today", 0.0),
        ("2026-01-27T12:00:21", "Tue, 27 Jan 2026 12:00:00 GMT", 0.0),  # of which zone?
        ("2026-01-27T11:59:00Z", "Tue, 27 Jan 2026 12:00:00 GMT", 0.0),
        ("2026-01-27T14:00:02.5+02:00", "Tue, 27 Jan 2026 12:00:00 GMT", 2.5),
    ],
)
def test_moments_that_make_no_sense_pause_nobody(reset: str, date: str, pause: float) -> None:
    headers = _anthropic("requests", 50, 0, reset) | {"date": date}
    assert read_limits(headers) == ServerLimits(_limits(requests=50), pause)


def test_what_is_not_limited_is_infinite() -> None:
    assert inf == max(read_limits(_openai("tokens", 100, 9, "1s")).limits)
