"""Which tasks have a request on the wire: what they asked for is being paid."""

from __future__ import annotations

import asyncio
from typing import Any

from ..types import CompletionRequest, CompletionResponse, Handler


class OnWire:
    """Know the tasks that are with the provider now; the innermost of all layers."""

    def __init__(self) -> None:
        self._tasks = set[asyncio.Task[Any] | None]()

    def has(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task has sent a request whose answer is not there yet."""
        return task in self._tasks

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            return await call_next(request)
        finally:
            self._tasks.discard(task)
