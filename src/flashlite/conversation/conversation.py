"""A history that can answer."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, TypeVar, overload

from ..context import (
    ContextManager,
    Strategy,
    TokenCounter,
    check_limits,
    check_strategy,
    name_of,
    whole_window,
)
from ..errors import CompletionError, ConfigError, StreamInterruptedError
from ..models import ModelProfile
from ..types import (
    Completer,
    CompletionResponse,
    Message,
    Role,
    StreamEvent,
    StreamEventType,
    asking,
)
from ..types.ids import new_id
from .history import History
from .state import ConversationState, read_state, write_state

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationConfig:
    """How much of a conversation the model gets to read.

    A prompt has at most `max_tokens`, and at most what the model's context window takes as far as
    that is known, less `reserve_tokens` that are left to the answer. `truncation_strategy` says
    which messages are left out when there are more (see `context/truncation.py`).
    """

    max_tokens: int | None = None
    truncation_strategy: Strategy = "sliding"
    reserve_tokens: int = 0

    def __post_init__(self) -> None:
        check_strategy(self.truncation_strategy)
        check_limits(self.max_tokens, self.reserve_tokens)


class Conversation(History):
    """A history that can answer, if it has a client."""

    def __init__(
        self,
        system_message: str | Sequence[Mapping[str, Any]] | None = None,
        *,
        system: str | Sequence[Mapping[str, Any]] | None = None,
        messages: Iterable[Mapping[str, Any]] = (),
        max_tokens: int | None = None,
        truncation_strategy: Strategy | None = None,
        reserve_tokens: int | None = None,
        model: str | ModelProfile | None = None,
        client: Completer | None = None,
        config: ConversationConfig | None = None,
        metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(messages)
        shortcuts = {
            "max_tokens": max_tokens,
            "truncation_strategy": truncation_strategy,
            "reserve_tokens": reserve_tokens,
        }
        given: dict[str, Any] = {k: v for k, v in shortcuts.items() if v is not None}
        self.config = replace(config or ConversationConfig(), **given)
        self.id, self.metadata = new_id(), dict(metadata or {})
        self.model, self.client, self.options = name_of(model), client, options
        self._counter = TokenCounter()
        prompt = system_message if system_message is not None else system
        if prompt is not None:
            self.system_message = prompt

    @overload
    async def say(self, content: Any = ..., *, response_model: type[T], **options: Any) -> T: ...

    @overload
    async def say(
        self, content: Any = ..., *, response_model: None = ..., **options: Any
    ) -> CompletionResponse: ...

    async def say(
        self, content: Any = None, *, response_model: type[Any] | None = None, **options: Any
    ) -> Any:
        """Say something and return the answer; the history gains both."""
        ask = asking(self._client(), response_model)
        with self._turn(content) as said:
            view, options = self._request(said, options)
            response = await ask(view, **options)
            self._take(said, response)
        return response if response_model is None else response.parsed

    async def stream(self, content: Any = None, **options: Any) -> AsyncGenerator[StreamEvent]:
        """Say something and yield the answer piece by piece; the last event is DONE."""
        stream = getattr(self._client(), "stream", None)
        if stream is None:
            raise ConfigError("to stream, a conversation needs a client that has stream()")
        with self._turn(content) as said:
            view, options = self._request(said, options)
            async with aclosing(stream(view, **options)) as events:
                async for event in events:
                    if event.type is StreamEventType.DONE:
                        self._take(said, event.data)
                        yield event
                        return
                    yield event
            raise StreamInterruptedError("the stream ended without its last event")

    def get_messages(self, model: str | ModelProfile | None = None) -> list[Message]:
        """Return what the model would read now: what fits of the history, which stays whole."""
        return self._view(self._history, model)

    def get_messages_dict(self, model: str | ModelProfile | None = None) -> list[dict[str, Any]]:
        """Return what the model would read now, as plain dicts."""
        return [message.to_dict() for message in self.get_messages(model)]

    def count_tokens(self, model: str | ModelProfile | None = None) -> int:
        """Return how many tokens the whole history takes as a prompt."""
        return self._counter.count(self._history, model or self._model())

    def fork(self) -> Self:
        """Return a copy that goes its own way."""
        return self._with(self._copies())

    def branch(self, from_index: int) -> Self:
        """Return a copy that has the first `from_index` messages only."""
        if not 0 <= from_index <= len(self._history):
            raise ConfigError(f"from_index is 0 to {len(self._history)}; got {from_index}")
        return self._with(self._copies()[:from_index])

    def to_dict(self) -> dict[str, Any]:
        """Return the conversation as a dict that is JSON."""
        return self.save().model_dump()

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, client: Completer | None = None, **options: Any
    ) -> Self:
        """Read what `to_dict()` wrote."""
        return cls._restored(ConversationState.from_dict(data), client, options)

    def to_json(self) -> str:
        """Return the conversation as JSON text."""
        return self.save().to_json()

    @classmethod
    def from_json(cls, text: str, *, client: Completer | None = None, **options: Any) -> Self:
        """Read what `to_json()` wrote."""
        return cls.from_dict(json.loads(text), client=client, **options)

    def save(self, path: str | os.PathLike[str] | None = None) -> ConversationState:
        """Return the state of the conversation, and write it to a file if one is given."""
        state = ConversationState(
            id=self.id,
            system_prompt=self.system_prompt,
            messages=[message.to_dict() for message in self._copies()],
            model=self.model,
            config=asdict(self.config),
            options={},
            metadata=self.metadata,
        )
        if path is not None:
            write_state(state, path)
        return state

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, client: Completer | None = None, **options: Any
    ) -> Self:
        """Read what `save(path)` wrote."""
        return cls._restored(read_state(path), client, options)

    @classmethod
    def _restored(
        cls, state: ConversationState, client: Completer | None, options: Mapping[str, Any]
    ) -> Self:
        conversation = cls(
            messages=state.messages,
            model=state.model,
            client=client,
            config=ConversationConfig(**state.config),
            metadata=state.metadata,
            **{**state.options, **options},
        )
        conversation.id = state.id or conversation.id
        return conversation

    def _with(self, messages: list[Message]) -> Self:
        other = type(self)(
            messages=messages,
            model=self.model,
            client=self.client,
            config=self.config,
            metadata=self.metadata,
            **self.options,
        )
        other._counter = self._counter
        return other

    def _client(self) -> Completer:
        if self.client is None:
            raise ConfigError(
                "this conversation has nobody to answer: client.conversation(...) or "
                "Conversation(client=...)"
            )
        return self.client

    def _model(self) -> str | None:
        return self.model or getattr(self.client, "default_model", None)

    @contextmanager
    def _turn(self, content: Any) -> Iterator[list[Message]]:
        """Yield what is said, and let nobody else change the history meanwhile."""
        self._open()
        said = [] if content is None else [_message(content)]
        self._is_answering = True
        try:
            yield said
        finally:
            self._is_answering = False

    def _request(
        self, said: list[Message], options: dict[str, Any]
    ) -> tuple[list[Message], dict[str, Any]]:
        given = {**self.options, **options}
        if self.model is not None:
            given = {"model": self.model, **given}
        view = self._view([*self._history, *said], given.get("model"), given.get("tools") or ())
        return view, given

    def _take(self, said: list[Message], response: CompletionResponse) -> None:
        if not response.ok:
            raise CompletionError(response.error or f"status {response.status}")
        self._history += [*said, response.message]

    def _view(
        self,
        messages: list[Message],
        model: str | ModelProfile | None,
        tools: Iterable[Any] = (),
    ) -> list[Message]:
        model = model or self._model()
        config = self.config
        if not messages or whole_window(model, config.max_tokens) is None:
            return list(messages)
        window = ContextManager(
            model,
            max_tokens=config.max_tokens,
            reserve_tokens=config.reserve_tokens,
            strategy=config.truncation_strategy,
            counter=self._counter,
        )
        return window.prepare(messages, tools=tools)


def _message(content: Any) -> Message:
    is_message = isinstance(content, Mapping) and "role" in content
    return Message.from_dict(
        content if is_message else {"role": Role.USER.value, "content": content}
    )
