"""One minute that a pool shares, in a file; `minute.lua` does the same in Redis.

What was let through is summed up in buckets of a tenth of a second, each of which counts for SPAN
seconds after its end.

A line says: line, who, label, limits, waiting (how many callers, the heads among them), heads
(amounts), told (a bucket and an amount to add, each), close (seconds), and seen (epoch, count, ago
in seconds, used). It is answered: granted (how many heads), bucket, wait (seconds), epoch, count,
used. Who says `look` is answered: label, limits, used, closed (seconds), lines.
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

SPAN = 61  # a minute, and what requests differ in on their way
SHARE = 64  # a turn ends after this part of a limit, if others wait
GRACE = 2  # seconds in which all tell what they saw, when the file was lost

_NOTHING = (0, 0, 0, 0)
_number = itemgetter(0)


def exchange_minute(state: State, said: dict[str, Any], now: float) -> dict[str, Any]:
    """Hear what a line says, and answer it; an empty state is a minute in which nothing was."""
    minute = _Minute(state, said, now)
    minute.expire()
    return minute.look() if "look" in said else minute.exchange()


class _Minute:
    def __init__(self, state: State, said: dict[str, Any], now: float) -> None:
        self._state, self._said, self._now = state, said, now
        self._bucket = floor(now * 10)
        self._over = floor((now - SPAN) * 10) - 1  # the last bucket that counts no more
        # Each is its number and four sums, the oldest first.
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
        """Take out what counts no more."""
        gone = 0
        for number, *amount in self._buckets:
            if number > self._over:
                break
            self._used[:] = map(sub, self._used, amount)
            gone += 1
        del self._buckets[:gone]

    def _restore(self, seen: dict[str, Any]) -> None:
        """Count what a process saw in an epoch before, as taken now.

        Of what several saw the most is true: what one saw is in what the next saw, as far as it
        counted still.
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
        """Count what is left of an epoch before as taken now."""
        self._buckets[:] = [[self._bucket, *self._used]]
        self._state["restored"] = list(self._used)

    def _correct(self, number: int, change: Sequence[float]) -> None:
        """Count what a process took more or less than it had reserved.

        Of a bucket that counts no more, the surplus counts from now on, for nobody has counted it.
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
        """Return from when on an amount fits; what is larger than a limit takes the whole of it."""
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
        """Let in as many heads as fit, but not more than a share where others wait."""
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
