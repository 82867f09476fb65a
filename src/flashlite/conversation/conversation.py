"""A history with a client that answers."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from copy import deepcopy
from dataclasses import asdict, fields, replace
from typing import Any, Self, TypeVar, overload

from ..context import TokenCounter, name_of
from ..errors import ConfigError
from ..middleware import fitting
from ..models import ModelProfile
from ..options import DeliveryOptions
from ..saved import options_in
from ..streaming.around import Around, inside, within
from ..tools.calls import with_readable_calls
from ..tools.loop import answered
from ..types import (
    Completer,
    CompletionResponse,
    Message,
    StreamEvent,
    StreamEventType,
    asking,
)
from ..types.ids import new_id
from .arguments import check_client, check_kind, check_options
from .config import ConversationConfig, TruncationStrategy, one_of
from .events import events_of
from .history import History, message_of
from .state import ConversationState
from .summary import Summary, abridged, summarize

T = TypeVar("T")
Said = str | Sequence[Mapping[str, Any]] | Mapping[str, Any] | None
"""What to say next: a user's text or list of parts, or a whole message; None adds nothing."""


class Conversation(History):
    """A history of messages that a client answers.

        conversation = client.conversation(system="You are a tutor.")
        answer = await conversation.say("What is 2 + 2?")

    Prompts are cut to fit the `ConversationConfig`; the history itself stays whole. `max_tokens`,
    `truncation_strategy` and `reserve_tokens` override `config`. `client` is any `Completer`.
    `options` are call options for every answer. Here `max_tokens` limits the prompt; to limit an
    answer, pass `max_completion_tokens`, or pass `max_tokens` to `say`. `metadata` is for the
    caller and is saved with the conversation. The attribute `around`, if set, is called for each
    answer (on a stream, for each event) and returns a context manager for it.

    A conversation gives one answer at a time; to ask two things at once, `fork()` it. An answer
    that fails, is cancelled or is not read to its end leaves the history unchanged.
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
        check_options(options, Conversation, _OTHER_NAMES)
        check_client(client)
        check_kind("config", config, ConversationConfig)
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
        self.around: Around | None = None
        self.summary: Summary | None = None  # the latest one that was needed
        prompt = one_of("system_message", system_message, "system", system)
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
        """Say something, return the answer and add both to the history.

        Without content, the model continues from the history as it is, as after `add_tool_result`.
        An answer may call tools, but they are not run. With a `response_model`, return the answer
        as an instance of it. Raises ConfigError if calls of an earlier answer have no results, or
        if the messages that must be in the prompt do not fit.
        """
        response = await self._answer(content, response_model, options, must_fit=True)
        return response if response_model is None else response.parsed

    async def ask(
        self, content: Said = None, *, response_model: type[Any] | None = None, **options: Any
    ) -> CompletionResponse:
        """Do what `say` does, but return the whole response, with the instance in its `parsed`."""
        return await self._answer(content, response_model, options, must_fit=False)

    def stream(
        self, content: Said = None, *, response_model: type[Any] | None = None, **options: Any
    ) -> AsyncGenerator[StreamEvent]:
        """Say something and yield the answer piece by piece; the last event is DONE.

        Both are added to the history before DONE is yielded. If the client has no `stream`, the
        whole answer is yielded as events. To stop early, wrap the call in `contextlib.aclosing`.
        """
        return within(self.around, self._events(content, response_model, options))

    def get_messages(
        self, model: str | ModelProfile | None = None, *, tools: Any = ()
    ) -> list[Message]:
        """Return what a model would read now: the messages that fit beside the `tools`.

        No new summary is written here: the existing one is used, and what does not fit is left out.
        """
        summary = self.summary if self.summary and self.summary.fits(self._history) else None
        asked = name_of(model) or self.model or _default_model(self.client)
        shown, window = abridged(self._history, summary), self.config.window(asked, self._counter)
        return window.prepare(shown, tools=tools) if window and shown else shown

    def get_messages_dict(self, model: str | ModelProfile | None = None) -> list[dict[str, Any]]:
        """Return what a model would read now, as plain dicts."""
        return [message.to_dict() for message in self.get_messages(model)]

    async def view(
        self, messages: list[Message], given: Mapping[str, Any], *, client: Completer
    ) -> list[Message]:
        """Return the part of `messages`, which extend this history, that fits the model's window.

        `given` are the call options, and `client` is what will be asked; it also writes a summary
        if one is needed.
        """
        model = given.get("model") or self.model or _default_model(client)
        window, tools = self.config.window(model, self._counter), given.get("tools")
        if window is None or not messages:
            return messages
        if self.config.truncation_strategy != "summarize":
            return window.prepare(messages, tools=tools)
        delivery = {name: given[name] for name in _DELIVERY & given.keys()}
        if writer := self.config.summary_model or given.get("model"):
            delivery["model"] = writer

        async def ask(prompt: list[Message]) -> CompletionResponse:
            return answered(await asking(client)(prompt, **delivery))

        self.summary = await summarize(messages, self.summary, window, ask, tools=tools)
        return abridged(messages, self.summary)

    def count_tokens(self, model: str | ModelProfile | None = None) -> int:
        """Return the number of tokens of the whole history as a prompt."""
        asked = name_of(model) or self.model or _default_model(self.client)
        return self._counter.count(self._history, asked)

    def fork(self) -> Self:
        """Return an independent copy with its own id."""
        return self.branch(len(self._history))

    def branch(self, from_index: int) -> Self:
        """Return an independent copy that has only the first `from_index` messages."""
        if not 0 <= from_index <= len(self._history):
            raise ConfigError(f"from_index is 0 to {len(self._history)}; got {from_index}")
        other = self._restored(self._state(), self.client, self.options)
        del other._history[from_index:]
        other.id, other._counter, other.around = new_id(), self._counter, self.around
        return other

    def to_dict(self) -> dict[str, Any]:
        """Return the conversation as a dict of plain JSON; see `ConversationState`."""
        return self.save().model_dump()

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, client: Completer | None = None, **options: Any
    ) -> Self:
        """Read what `to_dict()` returned; `options` override those that were saved."""
        return cls._restored(ConversationState.from_dict(data), client, options)

    def to_json(self) -> str:
        """Return the conversation as JSON text."""
        return self.save().to_json()

    @classmethod
    def from_json(
        cls, text: str | bytes, *, client: Completer | None = None, **options: Any
    ) -> Self:
        """Read what `to_json()` returned."""
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
        """Read what `save(path)` wrote; raises ConfigError for any other file."""
        return cls._restored(ConversationState.read(path), client, options)

    def _state(self) -> ConversationState:
        summary = self.summary
        return ConversationState(
            id=self.id,
            system_prompt=self.system_prompt,
            messages=[message.to_dict() for message in self._copies()],
            model=self.model,
            config=asdict(self.config),
            options=options_in(self.options),
            metadata=deepcopy(self.metadata),
            summary=summary.to_dict() if summary and summary.fits(self._history) else None,
        )

    @classmethod
    def _restored(
        cls, state: ConversationState, client: Completer | None, options: Mapping[str, Any]
    ) -> Self:
        known = {field.name for field in fields(ConversationConfig)}
        saved = {
            "model": state.model,
            "config": ConversationConfig(**{k: v for k, v in state.config.items() if k in known}),
            "metadata": state.metadata,
        }
        given = {**saved, **state.options, **options}
        conversation = cls(messages=state.messages, client=client, **given)
        if not conversation._history and state.system_prompt is not None:
            conversation.system_message = state.system_prompt
        conversation.id = state.id or conversation.id
        if state.summary is not None:
            conversation.summary = Summary.from_dict(state.summary, conversation._history)
        return conversation

    async def _answer(
        self,
        content: Said,
        response_model: type[Any] | None,
        options: Mapping[str, Any],
        *,
        must_fit: bool,
    ) -> CompletionResponse:
        client, said = self._require_client(), _as_messages(content)
        with inside(self.around), self.answering():
            ask = asking(client, response_model)
            view, given = await self._request(said, options)
            response = answered(await ask(view, **given))
            if must_fit:
                fitting(response, response_model)
            self.gain([*said, with_readable_calls(response.message)])
        return response

    async def _events(
        self, content: Said, response_model: type[Any] | None, options: Mapping[str, Any]
    ) -> AsyncGenerator[StreamEvent]:
        client, said = self._require_client(), _as_messages(content)
        done: StreamEvent | None = None
        with self.answering():
            view, given = await self._request(said, options)
            async with aclosing(events_of(client, view, given, response_model)) as events:
                async for event in events:
                    if event.type is StreamEventType.DONE:
                        self.gain([*said, with_readable_calls(answered(event.data).message)])
                        done = event
                    else:
                        yield event
        if done is not None:
            yield done  # now that the history can be changed again

    async def _request(
        self, said: Sequence[Message], options: Mapping[str, Any]
    ) -> tuple[list[Message], dict[str, Any]]:
        """Return what the model reads, and the options of the call."""
        given = {"model": self.model, **self.options, **options}
        given["model"] = name_of(given["model"]) or self.model
        if isinstance(given.get("tools"), Iterator):  # it is also read here
            given["tools"] = list(given["tools"])
        given = {name: value for name, value in given.items() if value is not None}
        view = await self.view([*self._history, *said], given, client=self._require_client())
        return view, given

    def _require_client(self) -> Completer:
        if self.client is None:
            raise ConfigError(
                "this conversation has nobody to answer: client.conversation(...), or "
                "Conversation(client=...)"
            )
        return self.client


_DELIVERY = DeliveryOptions.__annotations__.keys()
_OTHER_NAMES: dict[str, str] = dict.fromkeys(
    ("system_prompt", "system_msg", "instructions"), "write system=..."
)


def _as_messages(content: Said) -> list[Message]:
    return [] if content is None else [message_of(content)]


def _default_model(client: Completer | None) -> str | None:
    return getattr(client, "default_model", None)
