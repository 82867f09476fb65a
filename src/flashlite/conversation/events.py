"""The events of an answer from any client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from ..errors import CompletionError, StreamInterruptedError
from ..streaming.buffering import reason_in
from ..types import Completer, Message, StreamEvent, StreamEventType, asking, current_listener


async def events_of(
    client: Completer,
    messages: Sequence[Message],
    options: Mapping[str, Any],
    response_model: type[Any] | None = None,
) -> AsyncGenerator[StreamEvent]:
    """Yield the events of an answer; DONE is the last, yielded after the stream is closed.

    If the client has no `stream`, its whole answer is yielded as events. Raises CompletionError for
    an ERROR event, StreamInterruptedError if the stream ends without DONE.
    """
    stream: Callable[..., Any] | None = getattr(client, "stream", None)
    if stream is None:
        source = (await asking(client, response_model)(messages, **options)).events()
    else:
        shape = {} if response_model is None else {"response_model": response_model}
        source = stream(messages, **options, **shape)
        if (listener := current_listener()) is not None:
            source = listener.stream(source, messages, options)
    async with aclosing(source) as events:
        async for event in events:
            if event.type is StreamEventType.ERROR:
                raise CompletionError(reason_in(event.data))
            if event.type is StreamEventType.DONE:
                break
            yield event
        else:
            raise StreamInterruptedError("the stream ended without its last event")
    yield event
