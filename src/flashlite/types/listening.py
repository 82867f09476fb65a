"""Who hears what happens in a task: what models are asked, and what tools return."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from .holding import holding
from .stream import StreamEvent
from .tool_call import ToolCall


class Listener(Protocol):
    """Hears what conversations, agents, chats and tool loops do, and changes nothing."""

    async def complete(
        self, ask: Callable[..., Awaitable[Any]], messages: Any, **options: Any
    ) -> Any:
        """Return what `ask` does."""
        ...

    def stream(
        self, events: AsyncIterator[StreamEvent], messages: Any, options: Mapping[str, Any]
    ) -> AsyncGenerator[StreamEvent]:
        """Yield the events of an answer as they come."""
        ...

    def tool(self, call: ToolCall, result: Any, *, seconds: float) -> None:
        """Hear what came of a call: a `ToolResult`, or what was raised."""
        ...


_listener: ContextVar[Listener | None] = ContextVar("flashlite_listener", default=None)


def current_listener() -> Listener | None:
    """Return who listens to this task or thread."""
    return _listener.get()


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Let somebody listen for a while; to tasks that begin meanwhile, to their end."""
    with holding(_listener, listener):
        yield
