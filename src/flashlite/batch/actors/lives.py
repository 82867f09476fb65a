"""The lives of actors: where one dies, another begins in its place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError, FlashliteError
from ..actor_journals import ActorJournals, left_behind

log = logging.getLogger("flashlite.batch")

_FAREWELL = 30.0  # seconds
_MOST_DEATHS = 5  # in a row, without an answer in between; more than one question may cause


class ActorsDied(FlashliteError):
    """No actor is left, and new ones die before they bring an answer."""


@dataclass(slots=True)
class Place:
    """Where one actor after another lives; `deaths` are those since the last answer."""

    deaths: int = 0


@dataclass(slots=True, eq=False)
class Life:
    """One process, from its beginning to its end, with the positions of what it was asked."""

    handle: Any
    journal: Path
    place: Place
    asked: set[int] = field(default_factory=set[int])
    left: asyncio.Task[Mapping[int, Mapping[str, Any] | None]] | None = None


class Lives:
    """So many actors at once, as far as machines have room for them.

    `make` returns the handle of a new actor that writes a journal.
    """

    def __init__(
        self, make: Callable[[Path], Any], kill: Callable[[Any], None], journals: ActorJournals
    ) -> None:
        self._make, self._kill, self._journals = make, kill, journals
        self._all: list[Life] = []
        self._living: list[Life] = []
        self._places = 0
        self._tasks = set[asyncio.Task[Any]]()
        self._news = asyncio.Event()
        self._problem: Exception | None = None

    def begin(self, places: int) -> None:
        """Let actors begin; `pick` waits for them."""
        self._places = places
        for _ in range(places):
            self._task(self._begin(Place()))

    async def pick(self) -> Life:
        """Return the least busy actor; raises ActorsDied where there will be none."""
        while not self._living:
            if self._problem is not None:
                raise self._problem
            self._news.clear()
            await self._news.wait()
        return min(self._living, key=lambda life: len(life.asked))

    async def end(self, life: Life, cause: Exception) -> Mapping[int, Mapping[str, Any] | None]:
        """Take leave of an actor that does not answer; return what it left of what it was asked.

        See `left_behind`.
        """
        if life.left is None:
            log.warning("an actor of Ray is gone, another takes its place: %s", _first_line(cause))
            life.left = self._task(self._last_will(life))
            self._living.remove(life)
            self._note_death(life.place, cause)
        return await asyncio.shield(life.left)

    async def aclose(self) -> None:
        """End all actors, after a word of farewell to those that live."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        farewells = (life.handle.aclose.remote() for life in self._living)
        await asyncio.gather(*map(_heard, farewells))
        for life in self._all:
            self._kill(life.handle)

    async def _begin(self, place: Place) -> None:
        from ray.exceptions import RayError

        path = self._journals.path(len(self._all))
        life = Life(self._make(path), path, place)
        self._all.append(life)
        try:
            await life.handle.begin.remote()
        except RayError as error:
            self._note_death(place, error)
            return
        if not await asyncio.to_thread(path.exists):
            log.warning(
                "%s is not seen by all machines: what an actor was sent and did not report before "
                "it died is paid for again, unless actors share a cache",
                path.parent,
            )
        self._living.append(life)
        self._news.set()

    def _note_death(self, place: Place, cause: Exception) -> None:
        """Let another actor begin, unless that is hopeless."""
        place.deaths += 1
        if place.deaths < _MOST_DEATHS:
            self._task(self._begin(place))
            return
        self._places -= 1
        log.error("%d actors of Ray died one after another: %s", _MOST_DEATHS, cause)
        if not self._places:
            self._problem = ActorsDied(f"actors of Ray die before they answer: {cause}")
            self._news.set()

    async def _last_will(self, life: Life) -> Mapping[int, Mapping[str, Any] | None]:
        self._kill(life.handle)  # it may be alive, and only out of reach
        asked = frozenset(life.asked)
        if await asyncio.to_thread(life.journal.exists):
            try:
                return await asyncio.to_thread(left_behind, life.journal, asked)
            except ConfigError as error:
                log.warning("what a lost actor has on file cannot be known: %s", error)
        return dict.fromkeys(asked)

    def _task(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._problem = self._problem or ActorsDied(f"no actor can begin: {error}")
            self._news.set()


async def _heard(farewell: Any) -> None:
    from ray.exceptions import RayError

    try:
        async with asyncio.timeout(_FAREWELL):
            await farewell
    except (RayError, TimeoutError) as error:
        log.warning("an actor of Ray did not end as it should: %s", _first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
