"""Read a server's rate limits from its response headers.

OpenAI and compatible servers send `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, where a
reset is the time, counted from the request, until the limit is fully restored: `6m0s`, `8.64s`,
`20ms` (platform.openai.com/docs/guides/rate-limits). Mistral and Cerebras append `-minute` or
`-day`; Azure gives the seconds that a limit covers in `x-ratelimit-renewalperiod-*`. Anthropic
sends `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`,
where a reset is a timestamp (platform.claude.com/docs/en/api/rate-limits). Bare `x-ratelimit-limit`
headers (Together, OpenRouter) do not name their period and are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import NamedTuple

from ..types.header_values import number_in, seconds_until
from .windows import Amount

LONGEST_PAUSE = 600.0
"""Seconds; a server that asks for more is out of a day's quota, and waiting here does not help."""

_DAY = 86_400.0
_UNITS = {"d": _DAY, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_UNITS |= {"μs": 1e-6, "ns": 1e-9}
_STEP = re.compile(r"(\d+(?:\.\d*)?)(d|h|ms|m|s|us|µs|μs|ns)")


class _Names(NamedTuple):
    """The headers of one limit, and the field of `Amount` that it bounds."""

    field: str
    limit: str
    remaining: str
    reset: str
    period: str = ""


def _openai_names(name: str, field: str) -> _Names:
    parts = ("limit", "remaining", "reset", "renewalperiod")
    return _Names(field, *(f"x-ratelimit-{part}-{name}" for part in parts))


def _anthropic_names(name: str) -> _Names:
    parts = ("limit", "remaining", "reset")
    return _Names(name.replace("-", "_"), *(f"anthropic-ratelimit-{name}-{part}" for part in parts))


_OPENAI = (
    _openai_names("requests", "requests"),
    _openai_names("requests-minute", "requests"),
    _openai_names("req-minute", "requests"),
    _openai_names("tokens", "tokens"),
    _openai_names("tokens-minute", "tokens"),
    _openai_names("project-tokens", "tokens"),
)
_ANTHROPIC = tuple(map(_anthropic_names, ("requests", "tokens", "input-tokens", "output-tokens")))


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits per minute (inf where none was sent) and the seconds to wait from now."""

    limits: Amount
    pause: float = 0.0


class _Said(NamedTuple):
    """One limit as a server described it; `reset` is in seconds from now."""

    field: str
    limit: float | None
    remaining: float | None
    reset: float | None


def read_limits(headers: Mapping[str, str], *, age: float = 0.0) -> ServerLimits:
    """Read the headers of an answer to a request that was sent `age` seconds ago.

    Header names are expected in lower case.
    """
    limits: dict[str, float] = {}
    pause = 0.0
    for said in (*_openai(headers, age), *_anthropic(headers)):
        if said.limit is not None:
            limits[said.field] = min(said.limit, limits.get(said.field, inf))
        if said.remaining == 0 and said.reset is not None and said.reset <= LONGEST_PAUSE:
            pause = max(pause, said.reset)
    return ServerLimits(Amount(*(limits.get(field, inf) for field in Amount._fields)), pause)


def read_duration(text: str | None) -> float | None:
    """Parse seconds from a number or a duration in Go's notation: `1h2m3s`, `7.66s`, `20ms`."""
    number = number_in(text)
    if number is not None or not text:
        return number
    steps = _STEP.findall(text)
    if not steps or "".join(map("".join, steps)) != text:
        return None
    return sum(float(value) * _UNITS[unit] for value, unit in steps)


def _openai(headers: Mapping[str, str], age: float) -> Iterator[_Said]:
    for names in _OPENAI:
        if names.limit not in headers and names.remaining not in headers:
            continue
        limit = number_in(headers.get(names.limit))
        if names.limit in headers and not limit:
            continue  # some servers send 0 or -1 for an unknown limit
        remaining = number_in(headers.get(names.remaining))
        text = headers.get(names.reset, "")
        reset = read_duration(text)
        period = number_in(headers.get(names.period))
        if period:
            limit = limit * 60 / period if limit and period <= LONGEST_PAUSE else None
        elif _is_by_the_day(limit, remaining, reset, is_exact=text.endswith("s")):
            limit = None
        yield _Said(names.field, limit, remaining, reset and max(0.0, reset - age))


def _is_by_the_day(
    limit: float | None, remaining: float | None, reset: float | None, *, is_exact: bool
) -> bool:
    """Return whether a limit is per day, as Groq's for requests and OpenAI's for low tiers.

    Servers do not say so. But the time until a limit is fully restored shows its period: with 1 of
    10,000 used and 8.64 s to go, it is a day.
    """
    if limit is None or reset is None:
        return False
    if reset > LONGEST_PAUSE:
        return True
    if remaining is None or remaining >= limit or not is_exact:
        return False
    return 0.9 < reset * limit / (limit - remaining) / _DAY < 1.1


def _anthropic(headers: Mapping[str, str]) -> Iterator[_Said]:
    for names in _ANTHROPIC:
        if limit := number_in(headers.get(names.limit)):
            remaining = number_in(headers.get(names.remaining))
            reset = seconds_until(
                headers.get(names.reset), headers.get("date"), read=datetime.fromisoformat
            )
            yield _Said(names.field, limit, remaining, reset)
