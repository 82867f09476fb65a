"""A running sample: it records events, span by span, until it is written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol, Self

from ..errors import ConfigError
from ..middleware.records import secrets_of
from ..types import CompletionRequest, CompletionResponse, Message, MessageInput, ToolCall
from ..types.ids import new_id
from ..types.moments import timestamp
from .current import places
from .documents import to_document, to_summary
from .messages import check_outcome, to_input, to_messages, to_target
from .model_events import ModelCall, to_error, to_output
from .plain import plain
from .scores import to_score
from .spans import Spans
from .tool_events import to_tool_event
from .transcript import Transcript


class Log(Protocol):
    """The log that a sample is written to."""

    task: str

    def follow(self, sample: Sample) -> None:
        """Write down and show what a sample gains, from now on."""
        ...

    def note(self, sample: Sample) -> None:
        """Write down what a sample gained, if it is followed."""
        ...

    def write(
        self,
        sample: Sample,
        document: Mapping[str, Any],
        summary: Mapping[str, Any],
        secrets: tuple[str, ...],
    ) -> None:
        """Write a sample that is over."""
        ...


class Sample(Spans):
    """One sample of a log, such as a conversation, a simulation or a single call.

    Use it with `with` or `async with`; what happens in the block belongs to the sample, also in
    tasks that begin there and in `asyncio.to_thread`. An exception ends it as the sample's error.
    What is recorded is on disk some hundredths of a second later, and shown while the sample runs.

    `messages` are the messages of the whole sample, by default the history of its last call.
    `output` is the answer that scorers read; `store` and `metadata` keep any other values.
    """

    hears_all = False
    """Whether it records every call made inside it, also by clients without a logger."""

    def __init__(
        self,
        log: Log,
        id: str | int,
        *,
        epoch: int,
        input: MessageInput | None = None,
        target: str | Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        transcript: Transcript,
        began: float | None = None,
        secrets: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(transcript, began=began, clock=clock, secrets=secrets)
        self.id, self.epoch, self.uuid = id, epoch, new_id()
        self.messages: list[Message | Mapping[str, Any]] = []
        self.output: CompletionResponse | str | None = None
        self.metadata = dict(metadata or {})
        self.store: dict[str, Any] = {}
        self.scores: dict[str, dict[str, Any]] = {}
        self.is_open_ended, self._is_followed = False, False
        self.at_end: list[Callable[[], None]] = []
        self.log, self.process = log, os.getpid()
        self._input: Any = None
        self.begin_with(input)
        self._target = to_target(target)
        self._error: BaseException | None = None
        self._solvers = new_id()
        self._blocks = ExitStack()

    def begin(self) -> Self:
        """Record the beginning of the sample; `with` does this."""
        place, _ = self._here(self._began)
        del place["span_id"]
        self._add({**place, "event": "sample_init", "sample": self._as_given(), "state": {}})
        self._open_span(self._solvers, "solvers", None, "solvers", began=self._began)
        self._open_span(self._main, self.log.task, self._solvers, "agent", began=self._began)
        return self

    def open(self) -> Self:
        """Begin the sample and show it from now on; `with` does this unless it is open."""
        if self._is_followed:
            raise ConfigError("a sample is one block: ask the logger for another one")
        self._is_followed, self._began = True, self._clock()
        self.log.follow(self)
        return self.begin()

    def begin_with(self, input: MessageInput | None) -> None:
        """Set the sample's input, unless it has one."""
        if self._input is None and input is not None:
            self._input = to_input(input, **self.transcript.spelling)

    def model(
        self,
        request: CompletionRequest | MessageInput,
        response: CompletionResponse | str | None = None,
        *,
        error: BaseException | None = None,
    ) -> None:
        """Record a model call: its answer, or the error that it ended with."""
        check_outcome(response, error)
        self.model_call(ModelCall.just_ended(request, response, error=error))

    def model_call(self, call: ModelCall) -> None:
        """Record a model call whose times are known."""
        place, agent = self._here(call.began)
        secrets = secrets_of(call.request)
        with self.lock:
            if self.is_over:
                return
            self._secrets = tuple(dict.fromkeys((*self._secrets, *secrets)))
            if not self.transcript.is_private:
                self.begin_with(call.request.messages)
            who = agent or call.request.agent
            self.transcript.add_call(call, place, role=who, secrets=secrets)
        self._note()

    def tool(
        self, call: ToolCall | Mapping[str, Any], result: Any = None, *, seconds: float = 0.0
    ) -> None:
        """Record a tool call and its result, which may be an exception or a `ToolResult`."""
        self._record(to_tool_event(call, result, seconds), self._clock() - seconds)

    def info(
        self, value: Any, *, source: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Record a text for readers (Markdown), or any JSON; `metadata` is for programs only."""
        event = {"event": "info", "data": value, "source": source, "metadata": metadata}
        self._record(plain(event), None)

    def score(
        self,
        name: str,
        value: Any,
        *,
        answer: str | None = None,
        explanation: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Score the sample with a number, a boolean, "C" or "I", or a dict of numbers by name."""
        if self.is_over or not self._is_followed:
            raise ConfigError(
                f"the sample {self.id!r} is {'over' if self.is_over else 'not begun'}, so a score "
                "would be lost: score inside the with block"
            )
        spelled = to_score(value, answer=answer, explanation=explanation, metadata=metadata)
        with self.lock:
            self.scores[plain(str(name))] = spelled
        self._note()

    def error(self, error: BaseException) -> None:
        """Set the sample's error; the sample goes on until its block ends."""
        check_outcome(None, error)
        self._error = error
        self._record({"event": "error", "error": to_error(error)}, None)

    def end(self) -> None:
        """Write the sample and record nothing more in it; `with` does this."""
        while self.at_end:
            self.at_end.pop()()
        self._close_span(self._main)
        self._close_span(self._solvers)
        if self.scores:
            self._record_scores()
        with self.lock:
            if self.is_over:
                return
            self.is_over = True
            document = self._document()
            self.log.write(self, document, to_summary(document), self._secrets)

    def __enter__(self) -> Self:
        if self.is_open_ended:
            self.is_open_ended = False
        else:
            self.open()
        self._blocks.enter_context(self.inside())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._blocks.close()
        if error is not None and not self.is_over:
            self.error(error)
        self.end()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def about(self) -> dict[str, Any]:
        """Return what identifies the sample, as JSON."""
        return {
            "id": self.id,
            "epoch": self.epoch,
            "uuid": self.uuid,
            "input": self._input or "",
            "target": self._target,
            "metadata": plain(self.metadata),
            "started_at": timestamp(self._began),
        }

    def summary(self) -> dict[str, Any]:
        """Return its summary for the list of running samples."""
        usage = {"model_usage": self.transcript.model_usage, "role_usage": {}}
        return to_summary({**self.about(), **usage, "scores": self.scores}, completed=False)

    def _record_scores(self) -> None:
        span = new_id()
        self._open_span(span, "scorers", None, "scorers")
        for name, score in self.scores.items():
            scorer = new_id()
            self._open_span(scorer, name, span, "scorer")
            event = {"event": "score", "score": score, "scorer": name, "span_id": scorer}
            self._record({**event, "target": self._target}, None)
            self._close_span(scorer)
        self._close_span(span)

    def _note(self) -> None:
        if self._is_followed:
            self.log.note(self)

    def _document(self) -> dict[str, Any]:
        ended = self._clock()
        return to_document(
            self.about(),
            self.transcript,
            completed_at=timestamp(ended),
            total_time=max(0.0, ended - self._began),
            messages=to_messages(self.messages, **self.transcript.spelling),
            output=self._spelled_output(),
            scores=self.scores or None,
            store=plain(self.store) if self.store else None,
            error=to_error(self._error) if self._error is not None else None,
        )

    def _as_given(self) -> dict[str, Any]:
        about = self.about()
        return {name: about[name] for name in ("id", "input", "target", "metadata")}

    def _spelled_output(self) -> Mapping[str, Any] | None:
        if self.output is None:
            return None
        said = self.output if isinstance(self.output, CompletionResponse) else str(self.output)
        return to_output(ModelCall.just_ended("-", said), (), self.transcript.attachments)


def current_sample() -> Sample | None:
    """Return the innermost sample that this task or thread is in, None outside all samples."""
    return next(current_samples(), None)


def current_samples() -> Iterator[Sample]:
    """Yield the samples that this task or thread is in, the innermost first."""
    return (place.sample for place in places() if isinstance(place.sample, Sample))
