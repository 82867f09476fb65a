"""Calls in flight: who asks for the same while somebody is asking waits for that answer."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One call; whoever leads it says what the others get with `land`, exactly once.

    An outcome of None hands the lead over: the next in line asks instead.
    """

    def __init__(
        self, name: tuple[asyncio.AbstractEventLoop, Hashable], flights: Flights[T]
    ) -> None:
        self._name = name
        self._flights = flights
        self._followers = 0
        self._outcome: asyncio.Future[T | None] = name[0].create_future()

    def land(self, outcome: T | None) -> None:
        """Give the followers their answer, from any thread; later calls change nothing."""
        if self._flights.running.get(self._name) is self:
            del self._flights.running[self._name]
        if not self._followers:
            return
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._name[0].call_soon_threadsafe(self._tell, outcome)

    def _tell(self, outcome: T | None) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def outcome(self, *, within: float | None) -> T | None:
        """Wait for the leader; a follower who gives up leaves the others waiting.

        Raises TimeoutError after `within` seconds.
        """
        self._followers += 1
        done, _ = await asyncio.wait([self._outcome], timeout=within)
        if not done:
            raise TimeoutError
        return self._outcome.result()


class Flights(Generic[T]):
    """The calls in flight, each under the running loop and a key."""

    def __init__(self) -> None:
        self.running: dict[tuple[asyncio.AbstractEventLoop, Hashable], Flight[T]] = {}

    async def join(self, key: Hashable, *, within: float | None) -> Flight[T] | T:
        """Return the outcome of a call in flight, or a flight of one's own to lead.

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
