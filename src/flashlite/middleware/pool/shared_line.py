"""Waiting for room in a pool: the callers of one event loop ask together, in one exchange."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar

from ...errors import StoreError
from ..waiting import Room, WaitingLine
from .pool import Pool

log = logging.getLogger("flashlite.pool")

Amount = TypeVar("Amount")
Asked = TypeVar("Asked", contravariant=True)
Grant = TypeVar("Grant")

_MOST = 128  # callers per exchange
_RETRY = 0.25  # seconds between two attempts to reach a place that is down
_GATHER = 0.005  # seconds in which news is gathered before an exchange, while somebody waits
_LAST_WORDS = 1.0  # seconds to send the remaining news when the loop ends


class Desk(Protocol[Asked, Grant]):
    """The connection of one event loop to one room of the pool."""

    heartbeat: float
    """Seconds between exchanges while it `is_busy`, even if nobody waits."""

    def has_news(self) -> bool:
        """Return whether there is something to report to the pool."""
        ...

    def is_busy(self) -> bool:
        """Return whether it has to contact the pool regularly."""
        ...

    async def exchange(self, asked: Sequence[Asked], *, waiting: int) -> tuple[list[Grant], float]:
        """Report the news and ask for room, in order; `waiting` includes those asked for.

        Returns grants for the first of them, and the seconds after which to ask for the rest.
        """
        ...

    def undo(self, grant: Grant) -> None:
        """Give back a grant whose caller has gone."""
        ...


class SharedLine(Generic[Amount, Grant]):
    """A `WaitingLine` whose callers take turns with the other processes of a pool.

    Each event loop is a line of its own, ordered by lowest priority, then by arrival. `alone` is
    the process's own room, used when the pool is down and fails open.
    """

    def __init__(
        self,
        pool: Pool,
        desk: Callable[[Callable[[], None]], Desk[Amount, Grant]],
        *,
        alone: Room[Amount, Grant] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._desk = desk
        self._lines: dict[asyncio.AbstractEventLoop, _LoopLine[Amount, Grant]] = {}
        may_go_on = alone is not None and pool.fail_open
        self._alone = WaitingLine(alone, clock=clock) if alone and may_go_on else None

    async def enter(self, amount: Amount, *, priority: int = 0) -> Grant:
        """Wait until there is room and take it."""
        try:
            return await self._line().enter(amount, priority)
        except _FailedOpen:
            assert self._alone is not None
            return await self._alone.enter(amount, priority=priority)

    def tell(self, change: Callable[[], object]) -> None:
        """Apply a change to a desk, or to the process's own room."""
        if self._alone is None:
            change()
        else:
            self._alone.tell(change)

    async def aflush(self) -> None:
        """Return when the pool has received this loop's updates, or is down."""
        line = self._lines.get(asyncio.get_running_loop())
        if line is not None:
            await line.aflush()

    def _line(self) -> _LoopLine[Amount, Grant]:
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            for ended in [other for other in list(self._lines) if other.is_closed()]:
                self._lines.pop(ended, None)
            line = _LoopLine(self._pool, self._desk, is_open=self._alone is not None)
            self._lines[loop] = line
        return line


class _FailedOpen(Exception):
    """Raised to a caller that should use the process's own room."""


class _LoopLine(Generic[Amount, Grant]):
    """The callers of one event loop, and the task that asks the pool for them."""

    def __init__(
        self,
        pool: Pool,
        desk: Callable[[Callable[[], None]], Desk[Amount, Grant]],
        *,
        is_open: bool,
    ) -> None:
        self._pool = pool
        self._is_open = is_open
        self._loop = asyncio.get_running_loop()
        self._desk = desk(self._call_soon)
        self._numbers = count()
        self._waiting: list[_Place[Amount, Grant]] = []
        self._asked: list[_Place[Amount, Grant]] = []
        self._changed, self._told = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_speaking = False
        self._down_since: float | None = None

    async def enter(self, amount: Amount, priority: int) -> Grant:
        if self._is_open and self._down_since is not None:
            raise _FailedOpen
        granted: asyncio.Future[Grant] = self._loop.create_future()
        place = _Place(priority, next(self._numbers), amount, granted)
        heappush(self._waiting, place)
        if not self._asked:
            self._wake()
        arrived = False
        try:
            grant = await granted
            arrived = True
        finally:
            if not arrived:
                self._leave(place)
        return grant

    async def aflush(self) -> None:
        while self._desk.has_news() and self._down_since is None:
            self._told.clear()
            if not self._is_speaking:  # otherwise sent by the running exchange or the next
                self._wake()
            await self._told.wait()
            if self._task is None or self._task.done():  # it failed, with all waiting callers
                return

    def _leave(self, place: _Place[Amount, Grant]) -> None:
        if not place.granted.cancelled() and place.granted.done() and not place.granted.exception():
            self._desk.undo(place.granted.result())
        place.granted.cancel()

    def _call_soon(self) -> None:
        """Wake the task to send the news; from any thread."""
        with suppress(RuntimeError):  # the loop has ended: its reservations count until they expire
            self._loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        if self._task is None or not self._task.cancelled():  # else the loop ends
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._ask())
            self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        """Leave nobody waiting when the loop ends, or when the configuration cannot work."""
        self._told.set()
        if task.cancelled():
            for place in (*self._asked, *self._waiting):
                place.granted.cancel()
        elif (error := task.exception()) is not None:
            self._fail(lambda: error)

    async def _ask(self) -> None:
        try:
            while self._waiting or self._has_to_speak():
                await self._ask_once()
        except asyncio.CancelledError:  # the loop ends
            if self._down_since is None and self._has_to_speak():
                with suppress(StoreError, TimeoutError):
                    async with asyncio.timeout(_LAST_WORDS):
                        await self._say_the_rest()
            raise

    async def _say_the_rest(self) -> None:
        """Send the news, including that of callers cancelled in the meantime."""
        await self._desk.exchange([], waiting=0)
        while self._desk.has_news():
            await self._desk.exchange([], waiting=0)

    def _has_to_speak(self) -> bool:
        is_passed_by = self._is_open and self._down_since is not None
        return self._desk.has_news() or self._desk.is_busy() or is_passed_by

    async def _ask_once(self) -> None:
        self._changed.clear()
        self._asked = self._heads()
        grants, wait = await self._exchange()
        self._told.set()
        for place, grant in zip(self._asked, grants, strict=False):
            place.let_in(grant, self._desk)
        for place in (left := self._asked[len(grants) :]):
            heappush(self._waiting, place)
        self._asked = left  # later callers queue behind these and need not wake the task
        await self._sleep(wait)
        self._asked = []

    async def _exchange(self) -> tuple[list[Grant], float]:
        """Return grants for the first of the asked places, and the seconds to the next exchange."""
        asked = [place.amount for place in self._asked]
        self._is_speaking = True
        try:
            grants, wait = await self._desk.exchange(asked, waiting=len(asked) + len(self._waiting))
        except StoreError as error:
            self._note_outage(error)
            return [], _RETRY
        finally:
            self._is_speaking = False
        self._note_recovery()
        return grants, wait or self._idle_seconds()

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the time is over or there is news."""
        if not seconds:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
                if self._asked:
                    await asyncio.sleep(_GATHER)

    def _idle_seconds(self) -> float:
        """Return the seconds to the next exchange if nothing happens."""
        return 0.0 if self._waiting else self._desk.heartbeat * self._desk.is_busy()

    def _heads(self) -> list[_Place[Amount, Grant]]:
        heads: list[_Place[Amount, Grant]] = []
        while self._waiting and len(heads) < _MOST:
            place = heappop(self._waiting)
            if not place.granted.done():
                heads.append(place)
        return heads

    def _note_outage(self, error: StoreError) -> None:
        """Let the callers wait, continue alone, or fail."""
        now = time.monotonic()
        if self._down_since is None:
            self._down_since = now
            what = "each process goes on alone" if self._is_open else "calls wait"
            log.warning(
                "pool %s: %s until %s is back: %s", self._pool.name, what, self._pool.place, error
            )
        if self._is_open:
            self._fail(_FailedOpen)
        elif now - self._down_since >= self._pool.patience:
            self._fail(lambda: StoreError(f"{error}; nothing was sent"))

    def _note_recovery(self) -> None:
        if self._down_since is not None:
            log.info("pool %s: %s is back", self._pool.name, self._pool.place)
            self._down_since = None

    def _fail(self, error: Callable[[], BaseException]) -> None:
        for place in (*self._asked, *self._waiting):
            if not place.granted.done():
                place.granted.set_exception(error())
        self._asked = []
        self._waiting.clear()


@dataclass(slots=True, eq=False)
class _Place(Generic[Amount, Grant]):
    """A caller in a line."""

    priority: int
    number: int
    amount: Amount
    granted: asyncio.Future[Grant]

    def __lt__(self, other: _Place[Amount, Grant]) -> bool:
        return (self.priority, self.number) < (other.priority, other.number)

    def let_in(self, grant: Grant, desk: Desk[Amount, Grant]) -> None:
        if self.granted.done():
            desk.undo(grant)
        else:
            self.granted.set_result(grant)
