"""Batches of calls with a checkpoint file: what was answered is never asked for again."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from ..errors import (
    AuthenticationError,
    BudgetExceededError,
    ConfigError,
    FlashliteError,
    QuotaExceededError,
    StoreError,
)
from ..many import Crowd, collect, numbered
from ..progress import shown
from ..types import Usage
from .actors import ActorsDied
from .checkpoint import Checkpoint, Intent
from .records import is_failure, read_answer

log = logging.getLogger("flashlite.batch")

Order: TypeAlias = Literal["input", "completion"]

# Errors that every other item would meet too.
_HOPELESS = (
    ActorsDied,
    AuthenticationError,
    BudgetExceededError,
    QuotaExceededError,
    StoreError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a batch, ready to be sent.

    `hash` identifies it, `about` has its first words. `call` returns the answer; its argument is an
    `Intent`, to be called right before a request is sent.
    """

    hash: str
    about: str
    call: Callable[[Intent], Awaitable[Any]]
    response_model: type[Any] | None = None


class Batch:
    """A batch: await it for all answers, or read them with `async for`.

        answers = await batch
        async with aclosing(batch):
            async for position, answer in batch: ...

    Nothing is sent before that. A failed item does not stop the others; its failure is written to
    the checkpoint, and the next run tries it again. Awaiting raises the first failure at the end,
    with the answers in its `answers`; with `return_exceptions`, and with `async for`, each failure
    is returned in its item's place. An error that every other item would meet too (a wrong key, an
    empty budget or account, a full disk) stops the batch: it waits for what was sent, then raises.

    Every answer is read back from the file when it is handed out, so memory does not grow, and an
    answer is the same whichever run asked for it: it has its original usage and cost, but not the
    raw JSON and the headers. `restored` counts the answers of earlier runs. `lost` counts the
    requests that killed runs of this checkpoint sent without storing an answer: each may have been
    billed. Their items are asked for again, and the requests stay in the count.
    """

    def __init__(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        prepare: Callable[[Any], Awaitable[Item]],
        crowd: Callable[..., Crowd],
        *,
        checkpoint: str | os.PathLike[str],
        order: Order,
        return_exceptions: bool,
        progress: bool,
        description: str | None = None,
    ) -> None:
        if order not in get_args(Order):
            raise ConfigError(f"order is 'input' or 'completion'; got {order!r:.80}")
        if isinstance(items, str | bytes | Mapping) or not isinstance(
            items, Iterable | AsyncIterable
        ):
            raise ConfigError(f"a batch takes a list of items; got {items!r:.80}")
        self.restored = self.lost = 0
        self._items, self._prepare, self._new_crowd = items, prepare, crowd
        self._path, self._order = checkpoint, order
        self._return_exceptions = return_exceptions
        self._progress, self._description = progress, description
        self._crowd: Crowd | None = None
        self._is_stopped = False
        self._reader: AsyncGenerator[tuple[int, Any]] | None = None

    def __await__(self) -> Generator[Any, None, list[Any]]:
        stop = None if self._return_exceptions else go_on
        return collect(aiter(self), stop).__await__()

    def __aiter__(self) -> AsyncGenerator[tuple[int, Any]]:
        self._reader = self._run()
        return self._reader

    def stop(self) -> None:
        """Send no more requests and wait for those sent; the batch then ends with an error."""
        self._is_stopped = True
        if self._crowd is not None:
            self._crowd.stop()

    async def aclose(self) -> None:
        """End a batch that was not read to its end; unanswered requests are lost."""
        if self._reader is not None:
            await self._reader.aclose()

    async def _run(self) -> AsyncGenerator[tuple[int, Any]]:
        checkpoint = await asyncio.to_thread(Checkpoint, self._path)
        try:
            self.lost = checkpoint.lost
            async with self._ready(checkpoint), aclosing(self._outcomes(checkpoint)) as outcomes:
                async for position, outcome in outcomes:
                    yield position, _answer(checkpoint, outcome)
        finally:
            self._crowd = None
            checkpoint.close()

    @asynccontextmanager
    async def _ready(self, checkpoint: Checkpoint) -> AsyncIterator[None]:
        """Set up what answers the items, for the duration of the batch."""
        if count := checkpoint.submissions.open:
            raise ConfigError(
                f"{self._path} has {count} jobs at a provider, whose answers would be paid for "
                "again: go on with mode='provider'"
            )
        yield

    def _outcomes(self, checkpoint: Checkpoint) -> AsyncGenerator[tuple[int, Any]]:
        work = partial(self._answer_item, checkpoint)
        crowd = self._crowd = self._new_crowd(work, numbered_arguments(self._items))
        outcomes = self._until_hopeless(crowd)
        if self._progress:
            outcomes = shown(outcomes, requests=self._items, description=self._description)
        return _in_order(outcomes) if self._order == "input" else outcomes

    async def _until_hopeless(self, crowd: Crowd) -> AsyncGenerator[tuple[int, Any]]:
        """Yield the outcomes; raise at the end the error that stopped the batch, if any."""
        end: Exception | None = None
        if self._is_stopped:
            crowd.stop()
        async with aclosing(crowd.outcomes()) as outcomes:
            async for position, outcome in outcomes:
                yield position, outcome
                problem = outcome.problem if isinstance(outcome, _Unstored) else outcome
                if isinstance(problem, _HOPELESS):
                    end = end or problem
                    crowd.stop()
        if self._is_stopped and end is None:
            end = FlashliteError(f"the batch was stopped; what is done is in {self._path}")
        if end is not None:
            raise end

    async def _answer_item(self, checkpoint: Checkpoint, *, messages: Any, position: int) -> Any:
        """Return where an item's answer is stored, or the failure that its call returned."""
        about: dict[str, Any] = {"item": None, "position": position}
        try:
            item = await self._prepare(messages)
            about |= {"item": item.hash, "request": item.about}
            found = self._restored(checkpoint, item)
            if found is not None:
                return found
            intent = Intent(checkpoint=checkpoint, item=item.hash, position=position)
            result = await item.call(intent)
        except StoreError:
            raise
        except Exception as error:
            checkpoint.fail(error, **about)
            raise
        if is_failure(result):
            checkpoint.fail(result, **about)
            return result
        if intent.parts:
            about["parts"] = intent.parts
        try:
            offset = checkpoint.keep(result, **about)
            await checkpoint.sync()
        except StoreError as error:
            return _Unstored(result, error)
        return _Stored.of(result, offset, item)

    def _restored(self, checkpoint: Checkpoint, item: Item) -> _Stored | None:
        """Find an answer of an earlier run that can still be read."""
        while (offset := checkpoint.take(item.hash)) is not None:
            try:
                answer = read_answer(checkpoint.read(offset), item.response_model)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                log.warning("an answer on file does not fit and is asked for again: %r", error)
                continue
            self.restored += 1
            return _Stored.of(answer, offset, item)
        return None


@dataclass(frozen=True, slots=True)
class _Stored:
    """An answer on file; the progress bar reads `usage` and `cached`."""

    offset: int
    response_model: type[Any] | None
    usage: Usage | None
    cached: bool

    @classmethod
    def of(cls, answer: Any, offset: int, item: Item) -> _Stored:
        usage, cached = getattr(answer, "usage", None), getattr(answer, "cached", False)
        return cls(offset, item.response_model, usage, cached)


@dataclass(frozen=True, slots=True)
class _Unstored:
    """An answer that could not be stored, which ends the batch."""

    answer: Any
    problem: StoreError


def _answer(checkpoint: Checkpoint, outcome: Any) -> Any:
    if isinstance(outcome, _Unstored):
        return outcome.answer
    if not isinstance(outcome, _Stored):
        return outcome
    return read_answer(checkpoint.read(outcome.offset), outcome.response_model)


async def numbered_arguments(
    items: Iterable[Any] | AsyncIterable[Any],
) -> AsyncGenerator[dict[str, Any]]:
    """Yield items as the keyword arguments that a crowd takes."""
    async for position, item in numbered(items):
        yield {"messages": item, "position": position}


async def _in_order(
    outcomes: AsyncGenerator[tuple[int, Any]],
) -> AsyncGenerator[tuple[int, Any]]:
    """Yield outcomes in the order of their positions; before an error, all that are left."""
    waiting: dict[int, Any] = {}
    turn = 0
    try:
        async with aclosing(outcomes):
            async for position, outcome in outcomes:
                waiting[position] = outcome
                while turn in waiting:
                    yield turn, waiting.pop(turn)
                    turn += 1
    except Exception:
        for position in sorted(waiting):
            yield position, waiting[position]
        raise


def go_on() -> None:
    """Let a batch go on after a failure."""
