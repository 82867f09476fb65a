"""The actors of a batch, and how they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from ...errors import ConfigError, FlashliteError
from ...types import CompletionResponse
from ..actor_journals import ActorJournals
from ..records import read_answer
from .actor import Actor
from .lives import Lives
from .question import Question
from .settings import Ray

_MOST_TRIES = 3  # actors that may die with one question


class Actors:
    """Actors with one engine each; `options` are those of the engines.

    A question goes to the least busy one. When that dies, its journal says what it had: an answer
    is taken from there, and what was not answered is asked of another actor.
    """

    def __init__(
        self, ray: Ray, options: Mapping[str, Any], journals: ActorJournals, *, at_once: int
    ) -> None:
        self._ray, self._options, self._at_once = ray, options, at_once
        self._journals = journals
        self._lives = Lives(self._make, _kill, journals)

    async def __aenter__(self) -> Self:
        self._library = await asyncio.to_thread(_connect, self._ray.address)
        self._engine = self._stored_options()
        self._lives.begin(self._ray.actors)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lives.aclose()

    async def ask(
        self, question: Question, *, on_loss: Callable[[], None]
    ) -> CompletionResponse | FlashliteError:
        """Return the answer, or what went wrong.

        `on_loss` is called where a request was sent, or may have been, and its answer is lost.
        """
        from ray.exceptions import RayError, RayTaskError

        position, cause = question.position, None
        for _ in range(_MOST_TRIES):
            life = await self._lives.pick()
            life.asked.add(position)
            try:
                answer: CompletionResponse | FlashliteError
                answer = await life.handle.answer.remote(question)
                life.place.deaths = 0
                return answer
            except RayTaskError:  # the actor is well: something of the caller's raised this
                raise
            except RayError as error:
                cause, left = error, await self._lives.end(life, error)
            finally:
                life.asked.discard(position)
            if line := left.get(position):
                found: CompletionResponse = read_answer(line, question.request.response_model)
                return found
            if position in left:
                on_loss()
        return FlashliteError(f"{_MOST_TRIES} actors died with this request, the last: {cause}")

    def _make(self, journal: Path) -> Any:
        """Return the handle of a new actor."""
        given = {"scheduling_strategy": "SPREAD", **self._ray.options}
        given["max_concurrency"] = self._at_once + 1  # and the farewell
        return self._library.remote(Actor).options(**given).remote(self._engine, journal)

    def _stored_options(self) -> Any:
        """Put the options where actors find them; refuse what cannot travel."""
        try:
            return self._library.put(dict(self._options))
        except TypeError as error:
            raise ConfigError(
                "an actor of Ray makes its engine from this client's cache, limits, budget and "
                "provider, and one of them cannot travel to another process (a store in memory "
                f"never can; others must not have been used yet): {error}"
            ) from error


def _connect(address: str | None) -> Any:
    """Return the library of Ray, connected."""
    try:
        import ray
    except ImportError as error:
        raise ConfigError("this needs Ray: pip install 'flashlite[ray]'") from error
    if not ray.is_initialized():
        try:
            ray.init(address=address)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"Ray cannot be reached at {address or 'this machine'}: {error}"
            ) from error
    return ray


def _kill(handle: Any) -> None:
    import ray

    ray.kill(handle)
