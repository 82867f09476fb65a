"""Reading values from servers' headers, which may be malformed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite


def number_in(value: str | None) -> float | None:
    """Return a header's value as a number of at least 0, None for anything else."""
    try:
        number = float(value) if value else -1.0
    except ValueError:
        return None
    return number if number >= 0 and isfinite(number) else None


def seconds_until(
    moment: str | None,
    date: str | None,
    *,
    read: Callable[[str], datetime] = parsedate_to_datetime,
) -> float | None:
    """Return the seconds from a server's `date` header to a moment, 0 if that is past.

    This does not depend on the local clock. Returns None if either cannot be read.
    """
    if not moment or not date:
        return None
    try:
        wait = read(moment) - parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())
