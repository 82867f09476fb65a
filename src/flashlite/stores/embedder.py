"""Texts as vectors, made by the caller's function."""

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

_KEPT = 1000  # vectors kept in memory: a question is first searched for, then stored
_REST = 1.0  # seconds without another attempt after a failure


@dataclass(frozen=True, slots=True)
class Vector:
    """The vector of a text; only vectors of one `space` can be compared."""

    numbers: array[float]
    space: str


class Embedder:
    """Embeds one text at a time, within `timeout` seconds; a failure is a StoreError.

    A ConfigError is passed on, and so is any exception of the function that is neither a flashlite
    error nor a network error.
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
        self._kept: OrderedDict[str, Vector] = OrderedDict()  # least recently used first
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
        cost = None  # a call that fails or is cancelled may be billed
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
        """Check the single vector, and name its space after the model, or else the function."""
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
