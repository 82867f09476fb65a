"""Texts as vectors, by a function of the caller's."""

from __future__ import annotations

import asyncio
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import isawaitable, iscoroutinefunction
from math import isfinite
from typing import Any, TypeAlias

from ..errors import ConfigError, FlashliteError, StoreError
from ..types import EmbeddingResult

Vectors: TypeAlias = EmbeddingResult | Sequence[Sequence[float]]
Embed: TypeAlias = Callable[[list[str]], Awaitable[Vectors] | Vectors]
"""Turns texts into vectors: a client's `embed`, or any function; a plain one runs in a thread."""

_KEPT = 1000  # vectors that are kept in mind: a question is looked for, then stored
_REST = 1.0  # seconds for which nobody tries again after a failure


@dataclass(frozen=True, slots=True)
class Vector:
    """The meaning of a text as numbers; only those of one `space` can be compared."""

    numbers: array[float]
    space: str


class Embedder:
    """Ask the function for one text at a time, within `timeout` seconds; failing is a StoreError.

    A ConfigError goes through, and so does whatever a function raises that is neither an error of
    flashlite's nor of the network.
    """

    def __init__(
        self, embed: Embed, *, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not callable(embed):
            raise ConfigError(
                "embed is a function from texts to vectors, such as "
                f"Flashlite('openai/text-embedding-3-small').embed; got {embed!r:.80}"
            )
        self._embed = embed
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Vector] = OrderedDict()  # the last used last
        self._rests_until, self._failure = 0.0, ""
        self._count, self._cost = 0, 0.0
        self._is_cost_known = True

    async def vector(self, text: str) -> Vector:
        """Return the vector of a text."""
        with self._lock:
            if (known := self._kept.get(text)) is not None:
                self._kept.move_to_end(text)
                return known
        if self._clock() < self._rests_until:
            raise StoreError(self._failure)
        vector = self._read(await self._asked(text))
        with self._lock:
            self._kept[text] = vector
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return vector

    def expenses(self) -> dict[str, Any]:
        """Return how many texts were embedded and what that cost in dollars, None if unknown."""
        known = self._cost if self._is_cost_known else None
        return {"embeddings": self._count, "embedding_cost": known}

    async def _asked(self, text: str) -> Vectors:
        cost = None  # one that fails or is cancelled may be billed
        try:
            async with asyncio.timeout(self._timeout):
                vectors = await self._called([text])
            cost = vectors.cost if isinstance(vectors, EmbeddingResult) else None
            return vectors
        except ConfigError:
            raise
        except (FlashliteError, OSError, TimeoutError) as error:
            said = str(error) or f"no answer within {self._timeout:g} s"
            self._failure = f"the question cannot be embedded: {said:.300}"
            self._rests_until = self._clock() + _REST
            raise StoreError(self._failure) from None
        finally:
            with self._lock:
                self._count += 1
                self._is_cost_known = self._is_cost_known and cost is not None
                self._cost += cost or 0.0

    async def _called(self, texts: list[str]) -> Vectors:
        embed: Any = self._embed
        made = embed(texts) if iscoroutinefunction(embed) else await asyncio.to_thread(embed, texts)
        vectors: Vectors = await made if isawaitable(made) else made
        return vectors

    def _read(self, vectors: Vectors) -> Vector:
        """Check the one vector, and name its space: by the model, or else by the function."""
        rows: Any = vectors
        source = getattr(self._embed, "__qualname__", type(self._embed).__qualname__)
        if isinstance(vectors, EmbeddingResult):
            rows, source = vectors.embeddings, vectors.model or source
        try:
            (row,) = rows
            numbers = array("f", _finite(row))
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                f"embed returns one vector for each text, a list of numbers: {error}"
            ) from error
        return Vector(numbers, f"{source} {len(numbers)}")


def _finite(row: Iterable[Any]) -> list[float]:
    numbers = [float(number) for number in row]
    if not any(numbers) or not all(map(isfinite, numbers)):
        raise ValueError("one is empty, is nothing but zeros, or has a number that is none")
    return numbers
