"""Which tasks have sent a request: what they asked for is being paid, or was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from ..types import CompletionRequest, CompletionResponse, Handler

before_sending: ContextVar[Callable[[], None] | None] = ContextVar("before_sending", default=None)
"""What a task has called right before each request that it sends, whoever the provider is."""


class OnWire:
    """Know the tasks that are with the provider or have its answer; the innermost of all layers.

    A task that got its answer stays known until it is forgotten: layers above may still be at work
    on what was paid for. One whose attempt failed has nothing any more.
    """

    def __init__(self) -> None:
        self._tasks = WeakSet[asyncio.Task[Any]]()
        self._ending = WeakSet[asyncio.Task[Any]]()

    def has(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task has sent a request, and did not fail."""
        return task in self._tasks

    def end(self, task: asyncio.Task[Any]) -> None:
        """End a task that has nothing here; let any other finish, but send no further request."""
        if self.has(task):
            self._ending.add(task)
        else:
            task.cancel()

    def forget(self, task: asyncio.Task[Any]) -> None:
        """Let a task begin anew."""
        self._tasks.discard(task)

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        task = asyncio.current_task()
        assert task is not None
        if task in self._ending:
            task.cancel()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as end:
                end.__dict__["may_be_billed"] = False  # for nothing is sent
                raise
        if (tell := before_sending.get()) is not None:
            tell()
        self._tasks.add(task)
        try:
            return await call_next(request)
        except BaseException:
            self._tasks.discard(task)
            if task in self._ending:
                task.cancel()
            raise
