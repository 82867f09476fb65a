"""Timestamps as text: ISO 8601, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def timestamp(seconds: float, *, digits: int = 6) -> str:
    """Return a time, given in Unix seconds, as text with so many digits after the point."""
    second, part = divmod(round(seconds * 10**digits), 10**digits)
    return f"{_second(second)}.{part:0{digits}d}+00:00"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
