"""Waiting for room in order and without polling, across all loops and threads of a process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Any, Generic, Protocol, TypeVar

Amount = TypeVar("Amount")
Grant = TypeVar("Grant")
Asked = TypeVar("Asked", contravariant=True)


class Room(Protocol[Asked, Grant]):
    """What a line waits for. Its methods run under a lock, so they only count."""

    def opens_at(self, amount: Asked, now: float, /) -> float:
        """Return the time from which there is room: at most `now` if there is, inf if unknown."""
        ...

    def take(self, amount: Asked, now: float, /) -> Grant:
        """Take the room for an amount, and return the grant."""
        ...

    def undo(self, grant: Grant, /) -> None:
        """Take back a grant as if it had not been given."""
        ...

    def after_fork(self) -> None:
        """Start over in a forked child, which does not have its parent's callers."""
        ...


class WaitingLine(Generic[Amount, Grant]):
    """Lets callers into a room one by one: lowest priority first, then in order of arrival.

    Nobody overtakes the head. A waiter is woken once, after it was let in. Each loop with waiters
    has one timer for the time when the head fits; the first timer to fire serves all loops.
    """

    def __init__(self, room: Room[Amount, Grant], *, clock: Callable[[], float]) -> None:
        self._room = room
        self._clock = clock
        self._numbers = count()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._mail = deque[Callable[[], object]]()
        self._line: list[tuple[int, int, _Waiter[Amount, Grant]]] = []
        self._gone = 0  # waiters still in the list that have given up
        self._alarms: dict[asyncio.AbstractEventLoop, _Alarm] = {}

    async def enter(self, amount: Amount, *, priority: int = 0) -> Grant:
        """Wait until there is room and take it; a cancelled caller leaves no trace."""
        if self._process != os.getpid():
            self._begin()
            self._room.after_fork()
        with self._lock:
            self._read_mail()
            entered = self._enter(amount, priority)
        self._serve()
        if not isinstance(entered, _Waiter):
            return entered
        arrived = False
        try:
            await entered.future
            arrived = True
        finally:
            if not arrived:  # cancelled, perhaps at the same time as the grant
                self.tell(partial(self._leave, entered))
        return entered.granted()

    def tell(self, change: Callable[[], object]) -> None:
        """Change the room, from any thread, and let in all who then fit.

        The garbage collector may call this while the same thread holds the lock, so it never waits
        for the lock: its holder reads the mail.
        """
        self._mail.append(change)
        self._serve()

    def _serve(self) -> None:
        while self._mail and self._lock.acquire(blocking=False):
            try:
                self._read_mail()
                self._admit()
            finally:
                self._lock.release()

    def _read_mail(self) -> None:
        while self._mail:
            self._mail.popleft()()

    def _enter(self, amount: Amount, priority: int) -> Grant | _Waiter[Amount, Grant]:
        if not self._line:
            now = self._clock()
            if self._room.opens_at(amount, now) <= now:
                return self._room.take(amount, now)
        loop = asyncio.get_running_loop()
        waiter = _Waiter[Amount, Grant](amount, loop, loop.create_future())
        heappush(self._line, (priority, next(self._numbers), waiter))
        alarm = self._alarms.setdefault(loop, _Alarm(loop))
        alarm.waiting += 1
        if self._line[0][2] is waiter or alarm.due == inf:
            self._admit()
        return waiter

    def _admit(self) -> None:
        """Let in all who fit, then set the alarms for the next."""
        now, opens = self._clock(), inf
        while self._line:
            waiter = self._line[0][2]
            if not waiter.is_gone:
                opens = self._room.opens_at(waiter.amount, now)
                if opens > now:
                    break
            heappop(self._line)
            if waiter.is_gone:
                self._gone -= 1
            else:
                self._let_in(waiter, now)
        for alarm in self._alarms.values():
            if opens < alarm.due:
                alarm.due = opens
                _call(alarm.loop, self._wind, alarm)

    def _let_in(self, waiter: _Waiter[Amount, Grant], now: float) -> None:
        self._forget(waiter)
        grant = self._room.take(waiter.amount, now)
        waiter.grant = grant
        if not _call(waiter.loop, waiter.wake):
            waiter.grant, waiter.is_gone = None, True
            self._room.undo(grant)

    def _leave(self, waiter: _Waiter[Amount, Grant]) -> None:
        if waiter.grant is not None:
            self._room.undo(waiter.grant)
        elif not waiter.is_gone:
            waiter.is_gone = True
            self._forget(waiter)
            self._gone += 1
            if self._gone * 2 > len(self._line):
                self._line = [place for place in self._line if not place[2].is_gone]
                heapify(self._line)
                self._gone = 0

    def _forget(self, waiter: _Waiter[Amount, Grant]) -> None:
        """Remove a waiter from its loop's count, and the alarm with the last one."""
        alarm = self._alarms[waiter.loop]
        alarm.waiting -= 1
        if not alarm.waiting:
            del self._alarms[waiter.loop]
            alarm.due = inf
            _call(waiter.loop, self._wind, alarm)

    def _wind(self, alarm: _Alarm) -> None:
        """Restart an alarm's timer; runs in its loop."""
        if alarm.timer is not None:
            alarm.timer.cancel()
            alarm.timer = None
        if alarm.due < inf:
            delay = max(0.0, alarm.due - self._clock())
            alarm.timer = alarm.loop.call_later(delay, self._ring, alarm)

    def _ring(self, alarm: _Alarm) -> None:
        alarm.timer = None
        self.tell(alarm.stop)


@dataclass(slots=True, eq=False)
class _Waiter(Generic[Amount, Grant]):
    """A caller in the line."""

    amount: Amount
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]
    grant: Grant | None = None
    is_gone: bool = False

    def wake(self) -> None:
        if not self.future.done():
            self.future.set_result(None)

    def granted(self) -> Grant:
        assert self.grant is not None
        return self.grant


@dataclass(slots=True, eq=False)
class _Alarm:
    """One loop's timer, when it is due, and how many callers wait in that loop."""

    loop: asyncio.AbstractEventLoop
    waiting: int = 0
    due: float = inf
    timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        self.due = inf


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> bool:
    """Schedule a function on a loop, from any thread; return False if the loop is closed.

    Nothing is called immediately and no timer is set here: the caller may be the garbage collector,
    which may have interrupted the loop while it was sorting its timers.
    """
    running = None
    with suppress(RuntimeError):
        running = asyncio.get_running_loop()
    try:
        (loop.call_soon if loop is running else loop.call_soon_threadsafe)(function, *args)
    except RuntimeError:
        return False
    return True
