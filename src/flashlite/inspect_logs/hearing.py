"""Samples that record everything that happens inside them, whoever asks a model or runs a tool.

Our clients record their own calls (see `layer.py`), because they know most about them: attempts,
cache hits, the raw request. Conversations and agents record the calls of other clients.
"""

from __future__ import annotations

import os
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ..errors import CompletionError, StreamInterruptedError
from ..streaming.buffering import reason_in
from ..types import (
    PARAMS,
    CompletionRequest,
    CompletionResponse,
    StreamEvent,
    StreamEventType,
    ToolCall,
    listening,
    normalize_messages,
)
from ..types.holding import holding
from .current import Place, at, current_place
from .model_events import ModelCall
from .samples import Sample, current_samples


class HearingSample(Sample):
    """A sample that records every call made inside it, by any client and of any tool."""

    hears_all = True

    @contextmanager
    def inside(self) -> Generator[None]:
        """Record what happens in the block, unless the sample is over or this is a fork."""
        if self.is_over or self.process != os.getpid():
            yield
        else:
            with super().inside(), listening(_EAR):
                yield


def hearing_samples() -> list[Sample]:
    """Return the current samples that record everything, the innermost one of each log."""
    innermost: dict[int, Sample] = {}
    for sample in current_samples():
        if not sample.is_over:
            innermost.setdefault(id(sample.log), sample)
    return [sample for sample in innermost.values() if sample.hears_all]


def say_recorded() -> None:
    """Note that the client that makes the current call records it itself."""
    asked = _asked.get()
    while asked is not None:
        asked.is_recorded, asked = True, asked.outside


@dataclass(eq=False)
class _Asked:
    """A call that a conversation or an agent makes."""

    request: CompletionRequest
    place: Place | None = field(default_factory=current_place)
    outside: _Asked | None = field(default_factory=lambda: _asked.get())
    began: float = field(default_factory=time.time)
    is_recorded: bool = False

    @classmethod
    def of(cls, messages: Any, options: Mapping[str, Any]) -> _Asked:
        tools: Sequence[Any] = options.get("tools") or ()
        request = CompletionRequest(
            model=str(options.get("model") or ""),
            messages=normalize_messages(messages),
            tools=tuple(tool for tool in tools if isinstance(tool, Mapping)),
            params={name: options[name] for name in PARAMS & options.keys()},
            agent=options.get("agent"),
            **{name: options[name] for name in _WITH_SECRETS if options.get(name)},
        )
        return cls(request)

    @contextmanager
    def under_way(self) -> Generator[None]:
        with holding(_asked, self):
            yield

    def end(self, response: Any, error: BaseException | None = None) -> None:
        """Record the call, unless its client did."""
        if self.is_recorded:
            return
        answer = response if isinstance(response, CompletionResponse) else None
        if answer is None and error is None:
            error = TypeError(f"an answer is a CompletionResponse; got {type(response).__name__}")
        elif answer is not None and not answer.ok:
            error = StreamInterruptedError(answer.error or f"status {answer.status}")
        request = self.request
        if answer is not None and not request.model:
            request = request.with_(model=answer.model)
        call = ModelCall.just_ended(request, answer, error=error, began=self.began)
        with at(self.place):
            for sample in hearing_samples():
                sample.model_call(call)


_WITH_SECRETS = ("api_key", "base_url", "extra_headers", "extra_body")  # removed from the log

_asked: ContextVar[_Asked | None] = ContextVar("flashlite_inspect_logs_asked", default=None)


class _CallRecorder:
    """Records calls of models and tools in the samples in which they happen."""

    async def complete(
        self, ask: Callable[..., Awaitable[Any]], messages: Any, **options: Any
    ) -> Any:
        asked = _Asked.of(messages, options)
        try:
            with asked.under_way():
                response = await ask(messages, **options)
        except BaseException as error:
            asked.end(None, error)
            raise
        asked.end(response)
        return response

    async def stream(
        self, events: AsyncIterator[StreamEvent], messages: Any, options: Mapping[str, Any]
    ) -> AsyncGenerator[StreamEvent]:
        asked, answer = _Asked.of(messages, options), None
        error: BaseException | None = StreamInterruptedError("the stream was not read to its end")
        try:
            while True:
                with asked.under_way():
                    try:
                        event = await anext(events)
                    except StopAsyncIteration:
                        break
                if event.type is StreamEventType.DONE:
                    answer, error = event.data, None
                elif event.type is StreamEventType.ERROR:
                    error = CompletionError(reason_in(event.data))
                yield event
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            asked.end(answer, error)
            if (close := getattr(events, "aclose", None)) is not None:
                await close()

    def tool(self, call: ToolCall, result: Any, *, seconds: float) -> None:
        for sample in hearing_samples():
            sample.tool(call, result, seconds=seconds)


_EAR = _CallRecorder()
