"""Many calls at once, by a fixed number of workers in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from contextlib import aclosing
from typing import Any, TypeAlias, TypeVar

from .errors import CompletionError, ConfigError
from .middleware import OnWire
from .types import MessageInput

T = TypeVar("T")

OneInput: TypeAlias = MessageInput | Mapping[str, Any]
"""One request among many: the arguments of `complete` as a dict, or just its messages."""

_WORKERS = 10  # if nothing is given
_AT_FIRST = 100  # workers; more start while there is work for them


class Crowd:
    """Workers that take requests from one source and yield their outcomes as they come.

    An outcome is the request's position in the source with an answer or an exception. A worker goes
    on only after the reader took its outcome, so a slow reader slows the workers down, and one that
    calls `stop` on a failure stops them before the next request. `wire` knows which workers have
    sent a request.
    """

    def __init__(
        self,
        ask: Callable[..., Awaitable[Any]],
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        *,
        workers: int | None,
        wire: OnWire,
    ) -> None:
        if isinstance(requests, str | Mapping):
            raise ConfigError("complete_many takes a list of requests; for one call complete()")
        if not isinstance(requests, Iterable | AsyncIterable):
            raise ConfigError(f"complete_many takes a list of requests; got {requests!r:.80}")
        workers = _WORKERS if workers is None else workers
        if not isinstance(workers, int) or workers < 1:
            raise ConfigError(
                f"max_concurrency is a whole number of at least 1; got {workers!r:.80}"
            )
        self._ask = ask
        self._wire = wire
        self._requests = numbered(requests)
        self._size = workers
        self._outcomes: asyncio.Queue[tuple[int, Any] | None] = asyncio.Queue()
        self._taken = asyncio.Semaphore(0)
        self._turn = asyncio.Lock()
        self._workers: set[asyncio.Task[None]] = set()
        self._at_work = 0
        self._is_stopped = False

    async def outcomes(self) -> AsyncGenerator[tuple[int, Any]]:
        """Yield every outcome; closing this generator early ends the workers too."""
        for _ in range(min(self._size, _AT_FIRST)):
            self._hire()
        try:
            while (outcome := await self._outcomes.get()) is not None:
                self._taken.release()
                yield outcome
            for worker in self._workers:  # raise what the source raised
                if not worker.cancelled() and (error := worker.exception()):
                    raise error
        finally:
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            await self._requests.aclose()

    def stop(self) -> None:
        """Start no more requests and cancel unsent ones; sent ones are billed and may finish."""
        self._is_stopped = True
        for worker in self._workers:
            self._wire.end(worker)

    def _hire(self) -> None:
        """Start one more worker; the outcomes end when the last worker has ended."""
        worker = asyncio.create_task(self._work())
        self._workers.add(worker)
        self._at_work += 1
        worker.add_done_callback(self._note_end)

    def _note_end(self, _: asyncio.Task[None]) -> None:
        self._at_work -= 1
        if not self._at_work:
            self._outcomes.put_nowait(None)

    async def _work(self) -> None:
        while (item := await self._next()) is not None:
            if len(self._workers) < self._size and not self._is_stopped:
                self._hire()
            number, request = item
            self._outcomes.put_nowait((number, await self._outcome(number, request)))
            await self._taken.acquire()

    async def _outcome(self, number: int, request: OneInput) -> Any:
        worker = asyncio.current_task()
        assert worker is not None
        self._wire.forget(worker)
        try:
            return await self._ask(**_arguments_at(number, request))
        except asyncio.CancelledError:
            if worker.cancelling():
                raise
            # A layer or a provider cancelled itself: for this call, a failure like any other.
            return CompletionError("the call was cancelled from inside, by a layer or a provider")
        except Exception as error:  # noqa: BLE001 - the reader of the outcome raises it
            return error

    async def _next(self) -> tuple[int, OneInput] | None:
        async with self._turn:  # an asynchronous source serves one reader at a time
            return None if self._is_stopped else await anext(self._requests, None)


async def collect(
    outcomes: AsyncGenerator[tuple[int, Any]], stop: Callable[[], None] | None
) -> list[Any]:
    """Return all answers in order; with a `response_model`, its instance replaces the answer.

    With `stop`, the first failure stops the rest and is raised, with the answers so far in its
    `answers`; without it, a failure is returned in its place.
    """
    answers: dict[int, Any] = {}
    failure: Exception | None = None
    try:
        async with aclosing(outcomes):
            async for number, outcome in outcomes:
                if stop is not None and isinstance(outcome, Exception):
                    if failure is None:
                        failure = outcome
                        failure.add_note(f"this is the failure of request {number}, from 0 on")
                    stop()
                else:
                    instance = getattr(outcome, "parsed", None)
                    answers[number] = outcome if instance is None else instance
        if failure is not None:
            raise failure
    except Exception as error:
        error.answers = answers  # type: ignore[attr-defined]
        raise
    return [answers[number] for number in range(len(answers))]


def arguments_of(request: OneInput) -> dict[str, Any]:
    """Return the arguments of `complete` that a request stands for."""
    if isinstance(request, tuple) and any(isinstance(one, str) for one in request):
        raise ConfigError(
            f"a tuple with texts is no request; got {request!r:.80}: leave out ids, because "
            "answers come in the order of the requests; several messages are a list"
        )
    if not isinstance(request, Mapping) or "role" in request:
        request = {"messages": request}
    if "messages" not in request and "template" not in request:
        raise ConfigError(f"a request needs messages; got {', '.join(map(str, request))}")
    return dict(request)


def _arguments_at(number: int, request: OneInput) -> dict[str, Any]:
    try:
        return arguments_of(request)
    except ConfigError as error:
        raise ConfigError(f"request {number}: {error}") from error


async def numbered(
    requests: Iterable[T] | AsyncIterable[T],
) -> AsyncGenerator[tuple[int, T]]:
    """Yield the items of any source with their positions; the source is not closed."""
    number = 0
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield number, request
            number += 1
        return
    for request in requests:
        yield number, request
        number += 1
