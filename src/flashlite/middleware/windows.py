"""What was let through in the last minute, exact for every window of 60 seconds."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from math import inf
from operator import add, sub
from typing import NamedTuple

SPAN = 60.1
"""Seconds for which a grant counts: a minute, plus some network jitter."""

_FRESH = 1.0  # seconds for which each grant is kept separately
_TOGETHER = 0.1  # seconds of settled grants that are then merged into one

_AHEAD = 64  # grants examined at a time to find when a request fits


class Amount(NamedTuple):
    """What a request takes of each limit; `tokens` is input and output together."""

    requests: float = 0
    input_tokens: float = 0
    output_tokens: float = 0
    tokens: float = 0


UNLIMITED = Amount(inf, inf, inf, inf)


@dataclass(slots=True, eq=False)
class Grant:
    """A request that was let through, when, and its amount, which is final once settled."""

    at: float
    amount: Amount
    is_settled: bool = False


@dataclass(slots=True, eq=False)
class _Sum:
    """The merged grants of a short period, dated by the last of them."""

    since: float
    at: float
    amount: Amount


class Window:
    """A log of the grants of the last minute; the `Room` of a `WaitingLine`.

    A request larger than a limit takes all of it: it fits when nothing else counts, and nothing
    fits beside it. Settled grants are merged, so a minute of many requests takes little memory; a
    sum counts as long as its last grant would.
    """

    def __init__(self, limits: Amount = UNLIMITED) -> None:
        self.limits = limits
        self._sums = deque[_Sum]()  # all older than those in the log
        self._log = OrderedDict[Grant, None]()
        self._used = Amount()
        self._closed_until = -inf

    def opens_at(self, amount: Amount, now: float) -> float:
        """Return the time from which an amount fits, or when to ask again if that is far ahead."""
        self._expire(now)
        missing = [
            used + min(asked, limit) - limit
            for used, asked, limit in zip(self._used, amount, self.limits, strict=True)
        ]
        opens = self._closed_until
        if max(missing) <= 0:
            return opens
        # A bounded look ahead: otherwise each settlement would scan the minute for a huge head.
        counted: Iterable[_Sum | Grant] = chain(self._sums, self._log)
        for grant in islice(counted, _AHEAD):
            missing = list(map(sub, missing, grant.amount))
            opens = max(opens, grant.at + SPAN)
            if max(missing) <= 0:
                break
        return opens

    def take(self, amount: Amount, now: float) -> Grant:
        """Let a request through."""
        self._sum_up(now)
        grant = Grant(now, amount)
        self._log[grant] = None
        self._used = Amount(*map(add, self._used, amount))
        return grant

    def undo(self, grant: Grant) -> None:
        """Remove a grant as if it had not been given."""
        if grant in self._log:
            del self._log[grant]
            self._used = Amount(*map(sub, self._used, grant.amount))

    def after_fork(self) -> None:
        """Keep everything: the server also counts what the parent process has sent."""

    def correct(self, grant: Grant, amount: Amount, now: float) -> None:
        """Replace a grant's estimate by what the request actually took.

        What is left over is free immediately, and any excess counts too. For a request that took
        longer than a minute, the excess counts from now, because it was not counted before.
        """
        self._expire(now)
        if grant in self._log:
            self._used = Amount(*map(add, self._used, map(sub, amount, grant.amount)))
            grant.amount, grant.is_settled = amount, True
            return
        surplus = Amount(*(max(0, more) for more in map(sub, amount, grant.amount)))
        if any(surplus):
            self.take(surplus, now)

    def close_until(self, moment: float) -> None:
        """Let nobody through before the given time."""
        self._closed_until = max(self._closed_until, moment)

    def _sum_up(self, now: float) -> None:
        while self._log:
            grant = next(iter(self._log))
            if not grant.is_settled or grant.at > now - _FRESH:
                return
            del self._log[grant]
            last = self._sums[-1] if self._sums else None
            if last is not None and grant.at - last.since <= _TOGETHER:
                last.at, last.amount = grant.at, Amount(*map(add, last.amount, grant.amount))
            else:
                self._sums.append(_Sum(grant.at, grant.at, grant.amount))

    def _expire(self, now: float) -> None:
        while self._sums and self._sums[0].at + SPAN <= now:
            gone = self._sums.popleft()
            self._used = Amount(*map(sub, self._used, gone.amount))
        while self._log:
            oldest = next(iter(self._log))
            if oldest.at + SPAN > now:
                return
            self.undo(oldest)
