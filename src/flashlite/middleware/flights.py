"""Calls in flight: an identical call waits for the answer of the one that is running."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One call in flight; its leader passes the outcome to the followers with `land`.

    An outcome of None hands the lead over: one of the followers asks instead.
    """

    def __init__(
        self, name: tuple[asyncio.AbstractEventLoop, Hashable], flights: Flights[T]
    ) -> None:
        self._name = name
        self._flights = flights
        self._followers = 0
        self._outcome: asyncio.Future[T | None] = name[0].create_future()

    def land(self, outcome: T | None) -> None:
        """Give the followers the outcome, from any thread; only the first call counts."""
        if self._flights.running.get(self._name) is self:
            del self._flights.running[self._name]
        if not self._followers:
            return
        with suppress(RuntimeError):  # the loop has ended, and its waiters with it
            self._name[0].call_soon_threadsafe(self._tell, outcome)

    def _tell(self, outcome: T | None) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def outcome(self, *, within: float | None) -> T | None:
        """Wait for the leader's outcome; a follower that gives up does not affect the others.

        Raises TimeoutError after `within` seconds.
        """
        self._followers += 1
        done, _ = await asyncio.wait([self._outcome], timeout=within)
        if not done:
            raise TimeoutError
        return self._outcome.result()


class Flights(Generic[T]):
    """The calls in flight, by running loop and key."""

    def __init__(self) -> None:
        self.running: dict[tuple[asyncio.AbstractEventLoop, Hashable], Flight[T]] = {}

    async def join(self, key: Hashable, *, within: float | None) -> Flight[T] | T:
        """Return the outcome of a call in flight, or a new flight for the caller to lead.

        Raises TimeoutError when leaders take longer than `within` seconds.
        """
        loop = asyncio.get_running_loop()
        name, deadline = (loop, key), None if within is None else loop.time() + within
        while (flight := self.running.get(name)) is not None:
            left = None if deadline is None else max(0.0, deadline - loop.time())
            outcome = await flight.outcome(within=left)
            if outcome is not None:
                return outcome
        flight = self.running[name] = Flight(name, self)
        return flight
