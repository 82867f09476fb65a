"""Working time of a generate call: requests on the wire count, waiting for a limit does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar, Token
from dataclasses import replace
from typing import Self

from inspect_ai.util import suspend_working_limit

from ..types import CompletionRequest, CompletionResponse, Handler


class Turn:
    """One generate call, from the question to the answer or to the start of its stream.

    `seconds` is how long one request may be on the wire; waiting for its turn does not count.
    `was_sent` says whether a request was sent.
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self.was_sent = False
        self._waits: ExitStack | None = None
        self._token: Token[Turn | None] | None = None

    def __enter__(self) -> Self:
        self._token = _RUNNING.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _RUNNING.reset(self._token)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waiting, except inside `working`."""
        try:
            with ExitStack() as self._waits:
                self._waits.enter_context(suspend_working_limit())
                yield
        finally:
            self._waits = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of the block as work."""
        self.was_sent = True
        if (waits := self._waits) is None:
            yield
            return
        waits.close()
        try:
            yield
        finally:
            waits.enter_context(suspend_working_limit())


_RUNNING: ContextVar[Turn | None] = ContextVar("flashlite_turn", default=None)


async def in_turn(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
    """Count time below as waiting: a layer above those that wait for a limit."""
    turn = _RUNNING.get()
    if turn is None:
        return await call_next(request)
    with turn.waiting():
        return await call_next(request)


async def at_work(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
    """Count time below as work, and bound it: the layer right above the provider."""
    turn = _RUNNING.get()
    if turn is None:
        return await call_next(request)
    left = request.timeout.total
    total = turn.seconds if left is None else min(left, turn.seconds)
    with turn.working():
        return await call_next(request.with_(timeout=replace(request.timeout, total=total)))
