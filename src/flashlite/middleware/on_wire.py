"""The layer that tracks which tasks have sent a request, which may be billed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from ..types import CompletionRequest, CompletionResponse, Handler

before_sending: ContextVar[Callable[[], None] | None] = ContextVar("before_sending", default=None)
"""A function that the current task calls right before each request it sends, to any provider."""


class OnWire:
    """Track the tasks that wait for the provider or have its answer; the innermost of all layers.

    A task that got its answer is tracked until `forget`, because layers above may still work on the
    paid answer. A task whose attempt failed is no longer tracked.
    """

    def __init__(self) -> None:
        self._tasks = WeakSet[asyncio.Task[Any]]()
        self._ending = WeakSet[asyncio.Task[Any]]()

    def has(self, task: asyncio.Task[Any]) -> bool:
        """Return whether a task has sent a request that did not fail."""
        return task in self._tasks

    def end(self, task: asyncio.Task[Any]) -> None:
        """Cancel a task that is not tracked; let any other finish, but send no further request."""
        if self.has(task):
            self._ending.add(task)
        else:
            task.cancel()

    def forget(self, task: asyncio.Task[Any]) -> None:
        """Stop tracking a task."""
        self._tasks.discard(task)

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        task = asyncio.current_task()
        assert task is not None
        if task in self._ending:
            task.cancel()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as end:
                end.__dict__["may_be_billed"] = False  # because nothing was sent
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
