"""An answer: complete, or still open while it is being written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Self

from ..errors import ConfigError, StreamInterruptedError
from .message import Message
from .stream import StreamEvent, StreamEventType
from .tool_call import ToolCall, ToolCallDelta
from .usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the answers to a request; `logprobs` is OpenAI's object, unchanged."""

    message: Message
    finish_reason: str | None = None
    index: int = 0
    logprobs: Mapping[str, Any] | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read OpenAI's wire form."""
        return cls(
            message=Message(data["message"]),
            finish_reason=data.get("finish_reason"),
            index=data.get("index", 0),
            logprobs=data.get("logprobs"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the choice in OpenAI's wire form."""
        wire = {"index": self.index, "message": self.message.to_dict()}
        known = {"finish_reason": self.finish_reason, "logprobs": self.logprobs}
        return wire | {name: value for name, value in known.items() if value is not None}


@dataclass(slots=True, kw_only=True, eq=False)
class CompletionResponse:
    """The response to one request.

    Most answers are complete. One that was asked for with `stream=True` is open: `events()` yields
    it piece by piece, and the fields are final after the last event. To wait for that, use
    `await response.on_complete(callback)`, which works for both. The properties are about the first
    choice.

    `error` says why this is not an answer (a stream that broke or was not read to its end). `usage`
    is everything that this call used; `wasted` is the part of it for answers that did not fit.
    `parsed` is the answer as an instance of the request's `response_model`. `fallback_from` has the
    models that failed before this one answered; `lineage` says where a cached answer comes from:
    its key, when it was stored, its original cost, and for the answer to a similar question its
    `similarity` and that `question`.

    `attempts` counts the requests that were sent, `lost` those whose cost is unknown, because they
    failed and may still be billed, or reported no usage. `latency` is the time of sending and
    receiving in seconds, without waiting for limits or retries, `duration` that of the whole call.
    `raw` is the provider's JSON (None for a stream). `facts` has what else the provider reported
    and, after several requests, the prompt of the last one as `context_tokens`.
    """

    choices: tuple[Choice, ...] = ()
    model: str = ""
    provider: str | None = None
    id: str | None = None
    usage: Usage | None = None
    wasted: Usage | None = None
    parsed: Any = None
    status: int = 200
    error: str | None = None
    cached: bool = False
    lineage: Mapping[str, Any] | None = None
    fallback_from: tuple[str, ...] = ()
    attempts: int = 1
    lost: int = 0
    latency: float | None = None
    duration: float | None = None
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    raw: Mapping[str, Any] | None = field(default=None, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _first: StreamEvent | None = field(default=None, repr=False)
    _events: AsyncGenerator[StreamEvent] | None = field(default=None, repr=False)
    _below: tuple[AsyncGenerator[StreamEvent], ...] = field(default=(), repr=False)
    _callbacks: list[Callable[[CompletionResponse], Any]] = field(
        default_factory=list[Callable[["CompletionResponse"], Any]], repr=False
    )

    @classmethod
    def of(
        cls,
        content: str | None = None,
        *,
        tool_calls: list[ToolCall] | None = None,
        reasoning: str | None = None,
        finish_reason: str | None = "stop",
        **fields: Any,
    ) -> Self:
        """Return an answer with one choice."""
        extra = {"reasoning_content": reasoning} if reasoning else {}
        message = Message.assistant(content, tool_calls=tool_calls or (), **extra)
        return cls(choices=(Choice(message=message, finish_reason=finish_reason),), **fields)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict()` returned."""
        known: dict[str, Any] = {name: data[name] for name in _PLAIN if data.get(name) is not None}
        known |= {n: Usage.from_dict(data[n]) for n in ("usage", "wasted") if n in data}
        choices = tuple(Choice.from_dict(choice) for choice in data["choices"])
        return cls(choices=choices, **known)

    @classmethod
    async def open(
        cls, events: Callable[[Self], AsyncGenerator[StreamEvent]], **fields: Any
    ) -> Self:
        """Return an answer that is still being written.

        `events` gets the response, yields its events and fills it in. The first event is awaited
        here, so that a failure before it is raised where a retry is still possible.
        """
        response = cls(**fields)
        source = events(response)
        response._first = await anext(source, None)
        if response._first is None:
            raise StreamInterruptedError("the stream ended before its first event")
        response._events = source
        return response

    @property
    def message(self) -> Message:
        """The first choice's message, ready to be appended to a history."""
        return self.choices[0].message if self.choices else Message.assistant()

    @property
    def content(self) -> str:
        """The text of the answer; empty if the model only called tools."""
        return self.message.text

    @property
    def tool_calls(self) -> list[ToolCall] | None:
        """The tool calls of the answer, None if there are none."""
        return self.message.tool_calls

    @property
    def has_tool_calls(self) -> bool:
        """Whether the answer calls tools."""
        return bool(self.message.get("tool_calls"))

    @property
    def reasoning(self) -> str | None:
        """The model's reasoning, if the provider shows it."""
        return self.message.get("reasoning_content")

    @property
    def refusal(self) -> str | None:
        """The model's own words if it declined to answer."""
        return self.message.get("refusal")

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, such as "stop", "length" or "tool_calls"."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def logprobs(self) -> Mapping[str, Any] | None:
        """OpenAI's log probabilities of the answer, if there are any."""
        return self.choices[0].logprobs if self.choices else None

    @property
    def cost(self) -> float | None:
        """The cost in US dollars, None if the price or the usage is unknown."""
        return self.usage.total_cost if self.usage else None

    @property
    def ok(self) -> bool:
        """Whether this is an answer; False if its stream broke or was not read to its end."""
        return self.status == 200 and self.error is None

    @property
    def is_open(self) -> bool:
        """Whether events are still to come."""
        return self._events is not None

    def to_message(self) -> Message:
        """Return the first choice's message, the same as `message`."""
        return self.message

    def to_dict(self) -> dict[str, Any]:
        """Return the answer in OpenAI's wire form, with flashlite's usage and provenance."""
        wire: dict[str, Any] = {"choices": [choice.to_dict() for choice in self.choices]}
        wire |= {name: value for name in _PLAIN if (value := getattr(self, name))}
        usages = {"usage": self.usage, "wasted": self.wasted}
        return wire | {name: usage.to_dict() for name, usage in usages.items() if usage}

    async def events(self) -> AsyncGenerator[StreamEvent]:
        """Yield the answer piece by piece; a complete answer is replayed as if it were streamed.

        To stop early, close the iterator (use `contextlib.aclosing`), which closes the connection
        and runs the `on_complete` callbacks; both also happen before DONE is yielded. An open
        answer can be read only once. Raises StreamInterruptedError if an earlier reader stopped
        before the answer was complete.
        """
        if self._events is None:
            for played in _replay(self):
                yield played
            return
        event, self._first = self._first, None
        if event is None:
            raise ConfigError("somebody is reading this answer: read events() once, or afterwards")
        try:
            if event is _UNREAD:
                event = await anext(self._events)
            while event.type is not StreamEventType.DONE:
                yield event
                event = await anext(self._events)
        except StopAsyncIteration:
            raise StreamInterruptedError("the stream ended without its last event") from None
        finally:
            await self.aclose()
        yield event

    async def aclose(self) -> None:
        """Abandon an open answer: close its connection and run the `on_complete` callbacks."""
        if self._events is None:
            return
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(self._complete)
            for source in (*self._below, self._events):
                last_first.push_async_callback(source.aclose)

    def transform(
        self,
        change: Callable[[AsyncGenerator[StreamEvent], Self], AsyncGenerator[StreamEvent]],
    ) -> None:
        """Pass the events of an open answer through `change` before they are read.

        `change` gets all events and this answer; it may add events, leave some out, fill in fields
        and raise, and it ends with DONE. If it raises, the reader gets the exception, and `change`
        has to set `error` too. Closing and `on_complete` work as before.
        """
        if self._events is None or self._first is None:
            raise ConfigError("only an open answer that nobody reads yet can be transformed")
        source = self._events if self._first is _UNREAD else _resumed(self._first, self._events)
        self._below = (*self._below, self._events, source)
        self._events, self._first = change(source, self), _UNREAD

    async def on_complete(self, callback: Callable[[CompletionResponse], Any]) -> None:
        """Call a function when the answer is final: now if it is, else after the last event.

        It is also called if the reader stops early or the stream breaks; `ok` is then False. The
        callback may be a coroutine function. All callbacks run, in the order in which they were
        added, even if one raises. For an answer that is dropped unread, only plain functions run.
        """
        if self._events is not None:
            self._callbacks.append(callback)
        elif (result := callback(self)) is not None and isawaitable(result):
            await result

    async def _complete(self) -> None:
        self._events, self._below = None, ()
        callbacks, self._callbacks = self._callbacks, []
        async with AsyncExitStack() as last_first:
            for callback in reversed(callbacks):
                last_first.push_async_callback(_call, callback, self)

    def __del__(self) -> None:
        """Run the callbacks of an answer that was never closed, to release what it holds."""
        for callback in getattr(self, "_callbacks", ()):  # missing if the constructor failed
            if not iscoroutinefunction(callback):
                callback(self)


async def _resumed(
    first: StreamEvent, rest: AsyncGenerator[StreamEvent]
) -> AsyncGenerator[StreamEvent]:
    yield first
    async for event in rest:
        yield event


_UNREAD = StreamEvent(StreamEventType.META)  # stands for a first event that is not read yet


async def _call(
    callback: Callable[[CompletionResponse], Any], response: CompletionResponse
) -> None:
    result = callback(response)
    if result is not None and isawaitable(result):
        await result


_PLAIN = ("id", "model", "provider", "request_id", "facts")


def _replay(response: CompletionResponse) -> Iterator[StreamEvent]:
    if response.error is not None:
        raise StreamInterruptedError(response.error)
    for choice in response.choices:
        yield from _replay_choice(choice)
    if response.usage is not None:
        yield StreamEvent(StreamEventType.USAGE, response.usage)
    yield StreamEvent(StreamEventType.DONE, response)


def _replay_choice(choice: Choice) -> Iterator[StreamEvent]:
    message, index = choice.message, choice.index
    if reasoning := message.get("reasoning_content"):
        yield StreamEvent(StreamEventType.REASONING, reasoning, index=index)
    if message.text:
        yield StreamEvent(StreamEventType.TOKEN, message.text, index=index)
    for position, call in enumerate(message.tool_calls or ()):
        start = ToolCallDelta(position, call.id, call.name)
        text = ToolCallDelta(position, call.id, call.name, call.arguments_json)
        yield StreamEvent(StreamEventType.TOOL_CALL_START, start, index=index)
        yield StreamEvent(StreamEventType.TOOL_CALL_DELTA, text, index=index)
        yield StreamEvent(StreamEventType.TOOL_CALL_END, call, index=index)
