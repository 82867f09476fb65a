"""Custom providers: what agents, conversations and chats require of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol, Self

from ..errors import ConfigError
from ..types import CompletionResponse, EmbeddingResult, MessageInput, StreamEvent


class Provider(Protocol):
    """Anything that answers messages, whole or as a stream: a `Flashlite`, or your own class."""

    async def complete(
        self, messages: MessageInput, *, response_model: None = None, **options: Any
    ) -> CompletionResponse:
        """Return the answer, or raise a CompletionError."""
        ...

    def stream(self, messages: MessageInput, **options: Any) -> AsyncIterator[StreamEvent]:
        """Yield the answer's events; the last one is DONE, with the whole answer."""
        ...


class BaseProvider(ABC):
    """Base class of custom providers: implement `complete` and `stream`, and optionally `embed`."""

    @abstractmethod
    async def complete(self, messages: MessageInput, **options: Any) -> CompletionResponse:
        """Return the answer, or raise a CompletionError."""

    @abstractmethod
    def stream(self, messages: MessageInput, **options: Any) -> AsyncIterator[StreamEvent]:
        """Yield the answer's events; the last one is DONE, with the whole answer."""

    async def embed(self, inputs: str | Iterable[str], **options: Any) -> EmbeddingResult:
        """Turn texts into vectors; raise ConfigError unless overridden."""
        raise ConfigError(f"{type(self).__name__} makes no embeddings: ask another provider")

    async def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Close open resources."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
