"""One minute that a pool shares, in a file; `minute.lua` does the same in Redis.

What was let through is summed in buckets of a tenth of a second; each counts for SPAN seconds after
its end.

A line sends: line, who, label, limits, waiting (number of callers, including the heads), heads
(amounts), told (corrections, each a bucket and an amount to add), close (seconds), and seen (epoch,
count, ago in seconds, used). The answer has: granted (number of heads), bucket, wait (seconds),
epoch, count, used. A request with `look` is answered with: label, limits, used, closed (seconds),
lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import floor, inf
from operator import add, itemgetter, sub
from typing import Any

from ...stores import State
from .epoch import Epoch
from .turns import Turns

SPAN = 61  # a minute, plus the variation in how long requests travel
SHARE = 64  # a turn ends after 1/SHARE of a limit, if others wait
GRACE = 2  # seconds in which all processes report what they saw, after the file was lost

_NOTHING = (0, 0, 0, 0)
_number = itemgetter(0)


def exchange_minute(state: State, said: dict[str, Any], now: float) -> dict[str, Any]:
    """Process one exchange of a line and return the answer; an empty state is an unused minute."""
    minute = _Minute(state, said, now)
    minute.expire()
    return minute.look() if "look" in said else minute.exchange()


class _Minute:
    def __init__(self, state: State, said: dict[str, Any], now: float) -> None:
        self._state, self._said, self._now = state, said, now
        self._bucket = floor(now * 10)
        self._over = floor((now - SPAN) * 10) - 1  # the last bucket that no longer counts
        # Each bucket is its number and four sums; the oldest is first.
        self._buckets: list[list[float]] = state.setdefault("buckets", [])
        self._used: list[float] = state.setdefault("used", list(_NOTHING))
        self._epoch, self._turns = Epoch(state, now), Turns(state, now)

    def look(self) -> dict[str, Any]:
        return {
            "label": self._state.get("label"),
            "limits": self._state.get("limits"),
            "used": self._used,
            "closed": max(0.0, self._epoch.closed - self._now),
            "lines": self._turns.everybody(),
        }

    def exchange(self) -> dict[str, Any]:
        said, line, heads = self._said, self._said["line"], self._said["heads"]
        self._limits = [inf if limit is None else limit for limit in said["limits"]]
        self._restore(said["seen"])
        for number, *change in said["told"]:
            self._correct(number, change)
        if said["close"] > 0:
            self._epoch.close_until(self._now + said["close"])
        granted, wait = self._admit(), 0.0
        if granted == len(heads):
            self._turns.leave(line)
        else:
            self._turns.wait(line, heads[granted], at_end=granted > 0)
            first = self._turns.first()
            wait = self._turns.pause(line, self._opens_at(first[1])) if first else 0.0
        self._turns.enlist(line, said["waiting"] - granted, said["who"])
        self._state.update(label=said["label"], limits=said["limits"])
        self._epoch.advance()
        return {
            "granted": granted,
            "bucket": self._bucket,
            "wait": wait,
            "epoch": self._epoch.name,
            "count": self._epoch.count,
            "used": tuple(self._used),
        }

    def expire(self) -> None:
        """Remove the buckets that no longer count."""
        gone = 0
        for number, *amount in self._buckets:
            if number > self._over:
                break
            self._used[:] = map(sub, self._used, amount)
            gone += 1
        del self._buckets[:gone]

    def _restore(self, seen: dict[str, Any]) -> None:
        """Count what a process saw in an earlier epoch as taken now.

        The largest report is the true one: each later one includes the earlier ones, as far as they
        still counted.
        """
        if self._epoch.begin(seen):
            self._gather()
        if seen["epoch"] in ("", self._epoch.name) or seen["ago"] > SPAN:
            return
        before, used = self._state["restored"], seen["used"]
        self._add(self._bucket, [max(0, more) for more in map(sub, used, before)])
        self._state["restored"] = list(map(max, used, before))
        self._epoch.close_until(self._epoch.born + GRACE)

    def _gather(self) -> None:
        """Count what is left of an earlier epoch as taken now."""
        self._buckets[:] = [[self._bucket, *self._used]]
        self._state["restored"] = list(self._used)

    def _correct(self, number: int, change: Sequence[float]) -> None:
        """Count what a process used more or less than it had reserved.

        For a bucket that no longer counts, the excess counts from now, because it was not counted.
        """
        number = min(number, self._bucket)
        if number <= self._over:
            number, change = self._bucket, [max(0, more) for more in change]
        self._add(number, change)

    def _add(self, number: int, amount: Sequence[float]) -> None:
        self._used[:] = map(add, self._used, amount)
        place = bisect_left(self._buckets, number, key=_number)
        if place < len(self._buckets) and self._buckets[place][0] == number:
            sums = self._buckets[place]
            sums[1:] = map(add, sums[1:], amount)
        else:
            self._buckets.insert(place, [number, *amount])

    def _opens_at(self, amount: Sequence[float]) -> float:
        """Return the time from which an amount fits; one larger than a limit takes all of it."""
        missing = [
            used + min(asked, limit) - limit
            for used, asked, limit in zip(self._used, amount, self._limits, strict=True)
        ]
        opens = self._epoch.closed
        if max(missing) <= 0:
            return opens
        for number, *taken in self._buckets:
            missing = list(map(sub, missing, taken))
            if max(missing) <= 0:
                return max(opens, (number + 1) / 10 + SPAN)
        return max(opens, (self._bucket + 1) / 10 + SPAN)

    def _admit(self) -> int:
        """Let in as many heads as fit, but at most a share if others wait."""
        line, heads, granted = self._said["line"], self._said["heads"], 0
        first = self._turns.first()
        if not heads or (first is not None and first[0] != line):
            return 0
        others_wait, taken = self._turns.others(line) > 0, list(_NOTHING)
        while granted < len(heads) and self._opens_at(heads[granted]) <= self._now:
            self._add(self._bucket, heads[granted])
            taken[:] = map(add, taken, heads[granted])
            granted += 1
            shares = zip(taken, self._limits, strict=True)
            if others_wait and any(took * SHARE >= limit for took, limit in shares):
                break
        return granted
