"""Listeners, which are told what models are asked in a task and what tools return."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from .holding import holding
from .stream import StreamEvent
from .tool_call import ToolCall


class Listener(Protocol):
    """Observes what conversations, agents, chats and tool loops do, without changing it."""

    async def complete(
        self, ask: Callable[..., Awaitable[Any]], messages: Any, **options: Any
    ) -> Any:
        """Call `ask` and return its result."""
        ...

    def stream(
        self, events: AsyncIterator[StreamEvent], messages: Any, options: Mapping[str, Any]
    ) -> AsyncGenerator[StreamEvent]:
        """Yield the events of an answer as they come."""
        ...

    def tool(self, call: ToolCall, result: Any, *, seconds: float) -> None:
        """Receive the outcome of a tool call: a `ToolResult`, or the exception that was raised."""
        ...


_listener: ContextVar[Listener | None] = ContextVar("flashlite_listener", default=None)


def current_listener() -> Listener | None:
    """Return the listener of this task or thread, None if there is none."""
    return _listener.get()


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Set the listener for the block; tasks that start in it keep it to their end."""
    with holding(_listener, listener):
        yield
