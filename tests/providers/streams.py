"""Reading a stream in any dialect: who speaks it, and how a case is put on the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flashlite import Flashlite
from flashlite.errors import CompletionError
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import StreamEvent

from .aws_frames import binary_stream
from .cases import event_stream


class Speaker(NamedTuple):
    """A model that speaks a dialect; `wire` makes the chunks of a case a reply."""

    model: str
    options: Mapping[str, Any] = {}
    wire: Callable[[Any], Reply] = event_stream

    async def read(
        self, reply: Reply, **request: Any
    ) -> tuple[list[StreamEvent], CompletionError | None]:
        """Read a stream to its end: the events, and the error if it broke."""
        client = Flashlite(
            self.model,
            api_key="a-test-key",
            transport=ReplayTransport([reply]),
            retry=RetryConfig(max_attempts=1),
        )
        events: list[StreamEvent] = []
        try:
            async for event in client.stream("Hi", **{**self.options, **request}):
                events.append(event)  # noqa: PERF401 - what came before an error counts
        except CompletionError as error:
            return events, error
        return events, None


AWS = "https://bedrock-runtime.eu-west-1.amazonaws.com"

SPEAKERS = {
    "anthropic": Speaker("anthropic/m"),
    "bedrock": Speaker("bedrock/us.acme.model-v1:0", {"base_url": AWS}, binary_stream),
    "cohere": Speaker("cohere/m"),
    "google": Speaker("google/m"),
    "openai": Speaker("openai/m"),
    "responses": Speaker("openai/m", {"api": "responses"}),
}
