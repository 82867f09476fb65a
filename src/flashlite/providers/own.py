"""Providers of one's own: what agents, conversations and chats ask of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol, Self

from ..errors import ConfigError
from ..types import CompletionResponse, EmbeddingResult, MessageInput, StreamEvent


class Provider(Protocol):
    """Anything that answers messages, whole or as a stream: a `Flashlite`, or yours."""

    async def complete(
        self, messages: MessageInput, *, response_model: None = None, **options: Any
    ) -> CompletionResponse: ...

    def stream(self, messages: MessageInput, **options: Any) -> AsyncIterator[StreamEvent]: ...


class BaseProvider(ABC):
    """A provider of your own: write `complete` and `stream`, and `embed` if it can."""

    @abstractmethod
    async def complete(self, messages: MessageInput, **options: Any) -> CompletionResponse:
        """Answer, or raise a CompletionError."""

    @abstractmethod
    def stream(self, messages: MessageInput, **options: Any) -> AsyncIterator[StreamEvent]:
        """Yield the answer piece by piece; the last event is DONE with the whole answer."""

    async def embed(self, inputs: str | Iterable[str], **options: Any) -> EmbeddingResult:
        """Turn texts into vectors; raises ConfigError where that was not written."""
        raise ConfigError(f"{type(self).__name__} makes no embeddings: ask another provider")

    async def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Close what is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
