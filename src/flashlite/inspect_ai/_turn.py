"""Which part of a generate is work: what is on the wire; waiting for a limit is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar, Token
from dataclasses import replace
from typing import Self

from inspect_ai.util import suspend_working_limit

from ..types import CompletionRequest, CompletionResponse, Handler


class Turn:
    """One generate, from the question to the answer or its first sign.

    `seconds` is how long one request may be on the wire; waiting for its turn does not count.
    `was_sent` says whether one got there.
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
        """Count what is done inside as waiting, but for what is work."""
        try:
            with ExitStack() as self._waits:
                self._waits.enter_context(suspend_working_limit())
                yield
        finally:
            self._waits = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count what is done inside as work."""
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
    """Wait for a turn, which is no work: a layer, above those that wait."""
    turn = _RUNNING.get()
    if turn is None:
        return await call_next(request)
    with turn.waiting():
        return await call_next(request)


async def at_work(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
    """Send a request in its turn: a layer, the last one above the provider."""
    turn = _RUNNING.get()
    if turn is None:
        return await call_next(request)
    left = request.timeout.total
    total = turn.seconds if left is None else min(left, turn.seconds)
    with turn.working():
        return await call_next(request.with_(timeout=replace(request.timeout, total=total)))
