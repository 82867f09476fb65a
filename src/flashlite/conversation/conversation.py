"""A history that can answer."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from copy import deepcopy
from dataclasses import asdict, fields, replace
from typing import Any, Self, TypeVar, overload

from ..context import ContextManager, TokenCounter, name_of
from ..errors import CompletionError, ConfigError, StreamInterruptedError
from ..middleware import fitting
from ..models import ModelProfile
from ..options import DeliveryOptions
from ..saved import options_in
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
from .config import ConversationConfig, TruncationStrategy
from .history import History
from .state import ConversationState
from .summary import Summary, abridged, summarize

T = TypeVar("T")
Said = str | Sequence[Mapping[str, Any]] | Mapping[str, Any] | None
"""What is said next: a user's text or list of parts, or a whole message; None says nothing."""


class Conversation(History):
    """A history that can answer, if it has a client.

        conversation = client.conversation(system="You are a tutor.")
        answer = await conversation.say("What is 2 + 2?")

    Prompts are cut to fit the `ConversationConfig`; the history itself stays whole. `max_tokens`,
    `truncation_strategy` and `reserve_tokens` win over `config`. `client` is anything that
    completes. `options` are call options for every answer; since `max_tokens` is the length of a
    prompt here, that of an answer is `max_completion_tokens`, or said to `say`. `metadata` is the
    caller's and is kept with the conversation.

    One answer at a time: to ask two things at once, `fork()`. An answer that fails, is cancelled or
    is not read to its end leaves no trace.
    """

    def __init__(
        self,
        system_message: str | Sequence[Mapping[str, Any]] | None = None,
        *,
        system: str | Sequence[Mapping[str, Any]] | None = None,
        messages: Iterable[Mapping[str, Any]] = (),
        max_tokens: int | None = None,
        truncation_strategy: TruncationStrategy | None = None,
        reserve_tokens: int | None = None,
        model: str | ModelProfile | None = None,
        client: Completer | None = None,
        config: ConversationConfig | None = None,
        metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(messages)
        if "response_model" in options:
            raise ConfigError("a response_model is for one answer: say(..., response_model=...)")
        limits: dict[str, Any] = {
            "max_tokens": max_tokens,
            "truncation_strategy": truncation_strategy,
            "reserve_tokens": reserve_tokens,
        }
        given = {name: value for name, value in limits.items() if value is not None}
        self.config = replace(config or ConversationConfig(), **given)
        self.id, self.metadata = new_id(), deepcopy(dict(metadata or {}))
        self.model, self.client, self.options = name_of(model), client, options
        self._counter = TokenCounter()
        self._summary: Summary | None = None
        prompt = system_message if system_message is not None else system
        if prompt is not None:
            self.system_message = prompt

    @overload
    async def say(self, content: Said = ..., *, response_model: type[T], **options: Any) -> T: ...

    @overload
    async def say(
        self, content: Said = ..., *, response_model: None = ..., **options: Any
    ) -> CompletionResponse: ...

    async def say(
        self, content: Said = None, *, response_model: type[Any] | None = None, **options: Any
    ) -> Any:
        """Say something and return the answer; the history gains both.

        Without content the model goes on from the history as it is, as after `add_tool_result`. An
        answer may call tools: it is one answer, and nothing is run. With a `response_model`, return
        the answer as an instance of it. Raises ConfigError where the calls of an earlier answer
        have no results, or what has to be in the prompt does not fit.
        """
        response = await self._answer(content, response_model, options, must_fit=True)
        return response if response_model is None else response.parsed

    async def ask(
        self, content: Said = None, *, response_model: type[Any] | None = None, **options: Any
    ) -> CompletionResponse:
        """Do what `say` does, and return the whole response: the instance is its `parsed`."""
        return await self._answer(content, response_model, options, must_fit=False)

    async def stream(self, content: Said = None, **options: Any) -> AsyncGenerator[StreamEvent]:
        """Say something and yield the answer piece by piece; the last event is DONE.

        The history gains both before DONE is handed out. A reader who may stop early wraps the call
        in `contextlib.aclosing`.
        """
        stream = getattr(self._require_client(), "stream", None)
        if stream is None:
            raise ConfigError("to stream, a conversation needs a client that has stream()")
        with self._turn(content) as said:
            view, given = await self._request(said, options)
            async with aclosing(stream(view, **given)) as events:
                async for event in events:
                    if event.type is StreamEventType.DONE:
                        break
                    yield event
                else:
                    raise StreamInterruptedError("the stream ended without its last event")
            response = _whole(event.data)
        self._take(said, response)
        yield event

    def get_messages(
        self, model: str | ModelProfile | None = None, *, tools: Any = ()
    ) -> list[Message]:
        """Return what a model would read now: what fits of the history, beside the `tools`.

        Nobody is asked for a summary here: the one there is stands in, and more is left out.
        """
        summary = self._summary if self._summary and self._summary.fits(self._history) else None
        shown, window = abridged(self._history, summary), self._window(name_of(model))
        return window.prepare(shown, tools=tools) if window and shown else shown

    def get_messages_dict(self, model: str | ModelProfile | None = None) -> list[dict[str, Any]]:
        """Return what a model would read now, as plain dicts."""
        return [message.to_dict() for message in self.get_messages(model)]

    async def view(self, messages: list[Message], given: Mapping[str, Any]) -> list[Message]:
        """Return what a model reads of messages that go on from here, with these call options."""
        window, tools = self._window(given.get("model")), given.get("tools")
        if window is None or not messages:
            return messages
        if self.config.truncation_strategy != "summarize":
            return window.prepare(messages, tools=tools)
        delivery = {name: given[name] for name in _DELIVERY & given.keys()}
        if model := self.config.summary_model or given.get("model"):
            delivery["model"] = model

        async def ask(prompt: list[Message]) -> CompletionResponse:
            response: CompletionResponse = await self._require_client().complete(prompt, **delivery)
            return response

        self._summary = await summarize(messages, self._summary, window, ask, tools=tools)
        return abridged(messages, self._summary)

    def count_tokens(self, model: str | ModelProfile | None = None) -> int:
        """Return how many tokens the whole history takes as a prompt."""
        return self._counter.count(self._history, name_of(model) or self._model())

    def fork(self) -> Self:
        """Return a copy with an id of its own that goes its own way."""
        return self.branch(len(self._history))

    def branch(self, from_index: int) -> Self:
        """Return a copy that has only the first so many messages."""
        if not 0 <= from_index <= len(self._history):
            raise ConfigError(f"from_index is 0 to {len(self._history)}; got {from_index}")
        other = self._restored(self._state(), self.client, self.options)
        del other._history[from_index:]
        other.id, other._counter = new_id(), self._counter
        return other

    def to_dict(self) -> dict[str, Any]:
        """Return the conversation as a dict that is JSON; see `ConversationState`."""
        return self.save().model_dump()

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, client: Completer | None = None, **options: Any
    ) -> Self:
        """Read what `to_dict()` wrote; `options` are added to those that were saved."""
        return cls._restored(ConversationState.from_dict(data), client, options)

    def to_json(self) -> str:
        """Return the conversation as JSON text."""
        return self.save().to_json()

    @classmethod
    def from_json(
        cls, text: str | bytes, *, client: Completer | None = None, **options: Any
    ) -> Self:
        """Read what `to_json()` wrote."""
        return cls._restored(ConversationState.from_json(text), client, options)

    def save(self, path: str | os.PathLike[str] | None = None) -> ConversationState:
        """Return the state of the conversation, and write it to a file if one is named."""
        state = self._state()
        if path is not None:
            state.write(path)
        return state

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, client: Completer | None = None, **options: Any
    ) -> Self:
        """Read what `save(path)` wrote; raises ConfigError where that is something else."""
        return cls._restored(ConversationState.read(path), client, options)

    def _state(self) -> ConversationState:
        summary = self._summary
        return ConversationState(
            id=self.id,
            system_prompt=self.system_prompt,
            messages=[message.to_dict() for message in self._copies()],
            model=self.model,
            config=asdict(self.config),
            options=options_in(self.options),
            metadata=self.metadata,
            summary=summary.to_dict() if summary and summary.fits(self._history) else None,
        )

    @classmethod
    def _restored(
        cls, state: ConversationState, client: Completer | None, options: Mapping[str, Any]
    ) -> Self:
        known = {field.name for field in fields(ConversationConfig)}
        conversation = cls(
            messages=state.messages,
            model=state.model,
            client=client,
            config=ConversationConfig(**{k: v for k, v in state.config.items() if k in known}),
            metadata=state.metadata,
            **{**state.options, **options},
        )
        if not conversation._history and state.system_prompt is not None:
            conversation.system_message = state.system_prompt
        conversation.id = state.id or conversation.id
        if state.summary is not None:
            conversation._summary = Summary.from_dict(state.summary, conversation._history)
        return conversation

    async def _answer(
        self,
        content: Said,
        response_model: type[Any] | None,
        options: Mapping[str, Any],
        *,
        must_fit: bool,
    ) -> CompletionResponse:
        ask = asking(self._require_client(), response_model)
        with self._turn(content) as said:
            view, given = await self._request(said, options)
            response = _whole(await ask(view, **given))
            if must_fit:
                fitting(response, response_model)
        self._take(said, response)
        return response

    def _take(self, said: Sequence[Message], response: CompletionResponse) -> None:
        self.extend([*said, response.message])

    @contextmanager
    def _turn(self, content: Said) -> Iterator[list[Message]]:
        """Yield what is said, and let nobody change the history meanwhile."""
        self._open()
        if missing := self._unanswered():
            raise ConfigError(
                f"the calls {', '.join(missing)} have no results: add_tool_result(...) for each, "
                "or rollback()"
            )
        said = [] if content is None else [_message(content)]
        self._is_answering = True
        try:
            yield said
        finally:
            self._is_answering = False

    async def _request(
        self, said: Sequence[Message], options: Mapping[str, Any]
    ) -> tuple[list[Message], dict[str, Any]]:
        """Return what the model reads, and the options of the call."""
        given = {"model": self.model, **self.options, **options}
        given["model"] = name_of(given["model"]) or self.model
        if isinstance(given.get("tools"), Iterator):  # it is read here too
            given["tools"] = list(given["tools"])
        given = {name: value for name, value in given.items() if value is not None}
        return await self.view([*self._history, *said], given), given

    def _window(self, model: str | None) -> ContextManager | None:
        return self.config.window(model or self._model(), self._counter)

    def _model(self) -> str | None:
        return self.model or getattr(self.client, "default_model", None)

    def _require_client(self) -> Completer:
        if self.client is None:
            raise ConfigError(
                "this conversation has nobody to answer: client.conversation(...), or "
                "Conversation(client=...)"
            )
        return self.client


_DELIVERY = DeliveryOptions.__annotations__.keys()


def _message(content: Any) -> Message:
    if isinstance(content, Mapping) and "role" in content:
        return Message.from_dict(content)
    return Message.from_dict({"role": Role.USER.value, "content": content})


def _whole(response: CompletionResponse) -> CompletionResponse:
    if not response.ok:
        raise CompletionError(response.error or f"status {response.status}")
    return response
