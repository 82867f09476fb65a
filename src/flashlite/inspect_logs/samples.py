"""A sample while it runs: what is recorded in it, span by span, until it is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from ..errors import ConfigError
from ..middleware.records import secrets_of
from ..types import (
    CompletionRequest,
    CompletionResponse,
    Message,
    MessageInput,
    ToolCall,
    normalize_messages,
)
from ..types.ids import new_id
from .current import Place, at, current_place, places
from .documents import to_document, to_summary
from .messages import to_messages
from .model_events import ModelCall, timestamp, to_error, to_output
from .plain import plain
from .scores import to_score
from .tool_events import to_tool_event
from .transcript import Transcript


class Log(Protocol):
    """What a sample is written to."""

    task: str

    def follow(self, sample: Sample) -> None:
        """Keep and show what a sample gains, from now on."""
        ...

    def note(self, sample: Sample) -> None:
        """Keep what a sample gained, if it is followed."""
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


class Sample:
    """One sample of a log, from its beginning to its end: a conversation, a simulation, a call.

    It is used with `with` or `async with`; what happens inside of the block belongs to it, also in
    tasks that begin there and in `asyncio.to_thread`. An exception ends it as the sample's error.
    What it is told is on disk some hundredths of a second later, and shown while it runs.

    `messages` is what stands for the whole sample; left empty, it is the history of the last call.
    `output` is the answer that scorers read, `store` and `metadata` whatever else is to be kept.
    """

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
    ) -> None:
        self.id, self.epoch, self.uuid = id, epoch, new_id()
        self.transcript = transcript
        self.messages: list[Message | Mapping[str, Any]] = []
        self.output: CompletionResponse | str | None = None
        self.metadata = dict(metadata or {})
        self.store: dict[str, Any] = {}
        self.scores: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.is_over = False
        self.log = log
        self._began = time.time() if began is None else began
        self._input: Any = None if input is None else self._spelled_input(input)
        self._is_followed = False
        self._target = _target(target)
        self._error: BaseException | None = None
        self._secrets = secrets
        self._solvers, self._main = new_id(), new_id()
        self._blocks = ExitStack()

    def begin(self) -> Self:
        """Write how the sample begins; `with` does."""
        place, _ = self._here(self._began)
        del place["span_id"]
        self._add({**place, "event": "sample_init", "sample": self._as_given(), "state": {}})
        self._open_span(self._solvers, "solvers", None, "solvers", began=self._began)
        self._open_span(self._main, self.log.task, self._solvers, "agent", began=self._began)
        return self

    def agent(self, name: str, *, description: str | None = None) -> AbstractContextManager[Self]:
        """Return a block for one agent's turn: what happens inside of it is on its lane."""
        return self._span(plain(str(name)), description)

    def model(
        self,
        request: CompletionRequest | MessageInput,
        response: CompletionResponse | str | None = None,
        *,
        error: BaseException | None = None,
    ) -> None:
        """Record a call of a model: its answer, or the error that it ended with."""
        self.model_call(ModelCall.just_ended(request, response, error=error))

    def model_call(self, call: ModelCall) -> None:
        """Record a call whose times are known."""
        place, agent = self._here(call.began)
        secrets = secrets_of(call.request)
        with self.lock:
            if self.is_over:
                return
            self._secrets = tuple(dict.fromkeys((*self._secrets, *secrets)))
            if self._input is None:
                self._input = self._spelled_input(call.request.messages)
            who = agent or call.request.agent
            self.transcript.add_call(call, place, role=who, secrets=secrets)
        self._note()

    def tool(
        self, call: ToolCall | Mapping[str, Any], result: Any = None, *, seconds: float = 0.0
    ) -> None:
        """Record a tool call and its result, which may be an exception or a `ToolResult`."""
        self._record(to_tool_event(call, result, seconds), time.time() - seconds)

    def info(self, value: Any, *, source: str | None = None) -> None:
        """Record something to be shown: a text (Markdown), or any JSON."""
        event = {"event": "info", "data": plain(value)}
        self._record(event | ({"source": plain(str(source))} if source else {}), None)

    def score(
        self,
        name: str,
        value: Any,
        *,
        answer: str | None = None,
        explanation: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Score the sample: a number, a truth value, "C" or "I", or a dict of numbers by name."""
        spelled = to_score(value, answer=answer, explanation=explanation, metadata=metadata)
        with self.lock:
            self.scores[plain(str(name))] = spelled
        self._note()

    def error(self, error: BaseException) -> None:
        """Say that the sample failed, and how; it ends when its block does."""
        self._error = error
        self._record({"event": "error", "error": to_error(error)}, None)

    def end(self) -> None:
        """Write the sample; nothing more is recorded in it. `with` does."""
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
        if self._is_followed:
            raise ConfigError("a sample is one block: ask the logger for another one")
        self._is_followed, self._began = True, time.time()
        self.log.follow(self)
        self.begin()
        self._blocks.enter_context(at(Place(self, self._main, outside=current_place())))
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
        """Return its line in the list of running samples."""
        usage = {"model_usage": self.transcript.model_usage, "role_usage": {}}
        return to_summary({**self.about(), **usage, "scores": self.scores}, completed=False)

    @contextmanager
    def _span(self, name: str, description: str | None) -> Generator[Self]:
        place, span = self._place(), new_id()
        parent = place.span if place is not None else self._main
        self._open_span(span, name, parent, "agent", description=description)
        try:
            with at(Place(self, span, name, outside=current_place())):
                yield self
        finally:
            self._close_span(span)

    def _open_span(
        self,
        id: str,
        name: str,
        parent: str | None,
        kind: str,
        *,
        description: str | None = None,
        began: float | None = None,
    ) -> None:
        event = {"event": "span_begin", "id": id, "name": name, "type": kind, "span_id": id}
        if parent is not None:
            event["parent_id"] = parent
        about = {"metadata": {"description": plain(description)}} if description else {}
        self._record({**event, **about}, began)

    def _close_span(self, id: str) -> None:
        self._record({"event": "span_end", "id": id, "span_id": id}, None)

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

    def _record(self, event: dict[str, Any], began: float | None) -> None:
        place, _ = self._here(began)
        self._add({**place, **event})

    def _add(self, event: Mapping[str, Any]) -> None:
        with self.lock:
            if not self.is_over:
                self.transcript.add(event, secrets=self._secrets)
        self._note()

    def _note(self) -> None:
        if self._is_followed:
            self.log.note(self)

    def _here(self, began: float | None) -> tuple[dict[str, Any], str | None]:
        """Return what an event says of where and when it happened, and whose turn it is there."""
        place, when = self._place(), time.time() if began is None else began
        spot = {
            "uuid": new_id(),
            "span_id": place.span if place is not None else self._main,
            "timestamp": timestamp(when),
            "working_start": max(0.0, when - self._began),
        }
        return spot, place.agent if place is not None else None

    def _place(self) -> Place | None:
        """Return where in this sample we are; None outside of its block."""
        return next((place for place in places() if place.sample is self), None)

    def _document(self) -> dict[str, Any]:
        ended = time.time()
        return to_document(
            self.about(),
            self.transcript,
            completed_at=timestamp(ended),
            total_time=max(0.0, ended - self._began),
            messages=to_messages(self.messages, attachments=self.transcript.attachments),
            output=self._spelled_output(),
            scores=self.scores or None,
            store=plain(self.store) if self.store else None,
            error=to_error(self._error) if self._error is not None else None,
        )

    def _as_given(self) -> dict[str, Any]:
        about = self.about()
        return {name: about[name] for name in ("id", "input", "target", "metadata")}

    def _spelled_input(self, given: Any) -> Any:
        if isinstance(given, str):
            return plain(given)
        are_messages = isinstance(given, tuple) and all(isinstance(m, Message) for m in given)
        messages = given if are_messages else normalize_messages(given)
        if len(messages) == 1 and isinstance(messages[0].get("content"), str):
            return plain(messages[0]["content"])
        return to_messages(messages, attachments=self.transcript.attachments)

    def _spelled_output(self) -> Mapping[str, Any] | None:
        if self.output is None:
            return None
        is_whole = isinstance(self.output, CompletionResponse)
        call = ModelCall.just_ended("-", self.output if is_whole else str(self.output))
        return to_output(call, (), self.transcript.attachments)


def current_sample() -> Sample | None:
    """Return the sample that this task or thread is in."""
    return next(current_samples(), None)


def current_samples() -> Iterator[Sample]:
    """Yield the samples that this task or thread is in, the innermost first."""
    return (place.sample for place in places() if isinstance(place.sample, Sample))


def _target(target: str | Sequence[str] | None) -> str | list[str]:
    if target is None or isinstance(target, str):
        return str(plain(target or ""))
    return [plain(str(text)) for text in target]
