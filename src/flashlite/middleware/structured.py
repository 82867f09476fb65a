"""Structured output: ask for a schema, check the answer, ask again with what was wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from math import inf
from typing import Any

from ..errors import ConfigError, StructuredOutputError
from ..models import lookup
from ..schema import InvalidAnswer, instruction_for, partial, response_format_for, validate
from ..types import (
    CompletionRequest,
    CompletionResponse,
    Handler,
    Message,
    Role,
    StreamEvent,
    StreamEventType,
    Target,
    text_part,
)
from .tries import ask_after, sum_up, total

log = logging.getLogger("flashlite.structured")

_CUT = "the answer was cut off by max_tokens before it was finished"
_FULL = "the conversation is longer than the model's context"
_ENDS = {"length": _CUT, "model_length": _FULL}


class Structured:
    """Make answers instances of the request's `response_model`.

    The schema is sent as `response_format` where the provider takes one, else in the system
    message. If an answer does not fit, the model is asked again with what was wrong, at most
    `structured_retries` times; the last response has the usage and attempts of all tries. An answer
    that calls tools or refuses is returned as it is. Only the first of several choices is checked.

    A stream gains PARTIAL events and is checked at its end; it is not asked again once events are
    out. Raises StructuredOutputError when no answer fitted.
    """

    def __init__(
        self,
        *,
        target: Callable[[CompletionRequest], Target],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._clock = clock

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        model = request.response_model
        if model is None:
            return await call_next(request)
        asked = self._asking(request, model)
        deadline = self._clock() + (request.timeout.total or inf)
        response = await call_next(asked)
        if response.is_open:
            response.transform(lambda events, whole: _checked(events, whole, model))
            return response
        unfit: list[CompletionResponse] = []
        while (problem := _problem(response, model)) is not None:
            unfit.append(response)
            left = deadline - self._clock()
            is_full = response.finish_reason == "model_length"  # asking again only lengthens it
            if len(unfit) > request.structured_retries or left <= 0 or is_full:
                raise _failure(unfit, model, problem) from problem
            log.info("try %d did not fit: %s", len(unfit), _first(problem))
            again = _again(asked, response, problem, left)
            response = await ask_after(unfit, again, call_next)
        return _summed(response, unfit)

    def _asking(self, request: CompletionRequest, model: type[Any]) -> CompletionRequest:
        """Return the request that asks for the schema."""
        if request.structured_retries < 0:
            raise ConfigError(f"structured_retries is 0 or more; got {request.structured_retries}")
        if "response_format" in request.params or "response_format" in request.extra_body:
            raise ConfigError("response_model says the response_format: leave one of them out")
        target = self._target(request)
        profile = lookup(target.full_name)
        is_known_without = profile is not None and profile.supports("response_schema") is False
        if is_known_without or not target.takes_schema:
            return request.with_(messages=_instructed(request, instruction_for(model)))
        wanted = {"response_format": response_format_for(model)}
        return request.with_(params={**request.params, **wanted})


def fitting(response: CompletionResponse, model: type[Any] | None) -> CompletionResponse:
    """Return the response, or raise if it should be an instance of a model and is not."""
    if model is not None and response.parsed is None:
        did = "called tools" if response.has_tool_calls else "refused"
        raise StructuredOutputError(
            f"the model {did} instead of answering; ask() returns such a response",
            response=response,
            usage=response.usage,
        )
    return response


def _problem(response: CompletionResponse, model: type[Any]) -> InvalidAnswer | None:
    """Fill in `parsed`, or return why the answer does not fit.

    Tool calls and refusals do not attempt the schema, so they are no problem.
    """
    if response.has_tool_calls or response.refusal or response.finish_reason == "content_filter":
        return None
    if response.finish_reason in _ENDS:
        return InvalidAnswer(_ENDS[response.finish_reason])
    try:
        response.parsed = validate(model, response.content)
    except InvalidAnswer as problem:
        return problem
    return None


def _first(problem: InvalidAnswer) -> str:
    return str(problem).partition("\n")[0]


def _instructed(request: CompletionRequest, instruction: str) -> tuple[Message, ...]:
    """Return the messages with the instruction in the first system message.

    Servers want system messages first, and some accept only one.
    """
    if request.tools:
        instruction = f"You may call tools first. {instruction}"
    messages = list(request.messages)
    for place, message in enumerate(messages):
        if message.role in (Role.SYSTEM, Role.DEVELOPER):
            content = message.content
            messages[place] = Message({**message, "content": _extended(content, instruction)})
            return tuple(messages)
    return (Message.system(instruction), *messages)


def _extended(content: Any, instruction: str) -> Any:
    if isinstance(content, list | tuple):
        return [*content, text_part(instruction)]
    return f"{content}\n\n{instruction}" if content else instruction


def _again(
    asked: CompletionRequest, response: CompletionResponse, problem: InvalidAnswer, left: float
) -> CompletionRequest:
    """Return the request for another try: the history, the last answer, what is wrong with it."""
    was_cut = str(problem) == _CUT
    wanted = "the whole JSON again, but shorter" if was_cut else "the whole corrected JSON"
    complaint = Message.user(f"{problem}\n\nAnswer with {wanted}, and nothing else.")
    # Servers refuse an assistant message without content.
    answer = (response.message,) if response.content else ()
    total = None if asked.timeout.total is None else left
    return asked.with_(
        messages=(*asked.messages, *answer, complaint),
        timeout=replace(asked.timeout, total=total),
        stream=False,
    )


def _summed(response: CompletionResponse, unfit: list[CompletionResponse]) -> CompletionResponse:
    """Add the usage of the earlier tries to a response, and count it as wasted."""
    if unfit:
        if response.usage is not None:
            response.facts = {**response.facts, "context_tokens": response.usage.input_tokens}
        response.wasted = total([*(other.usage for other in unfit), response.wasted])
        sum_up(response, [*unfit, response])
    return response


def _failure(
    unfit: list[CompletionResponse], model: type[Any], problem: InvalidAnswer
) -> StructuredOutputError:
    """Return the error after the last try; its response has the same message."""
    *before, last = unfit
    response = _summed(last, before)
    response.wasted = response.usage
    name = model.__name__ if isinstance(model, type) else str(model)
    tries = "1 try" if len(unfit) == 1 else f"{len(unfit)} tries"
    response.error = f"the answer did not fit {name} after {tries}: {_first(problem)}"
    error = StructuredOutputError(
        response.error,
        response=response,
        usage=response.usage,
        provider=response.provider,
        model=response.model,
        request_id=response.request_id,
    )
    error.attempts, error.lost = response.attempts, response.lost
    return error


async def _checked(
    events: AsyncGenerator[StreamEvent], response: CompletionResponse, model: type[Any]
) -> AsyncGenerator[StreamEvent]:
    """Yield the events, the growing value, and DONE only if the whole answer fits."""
    draft = _Draft(model)
    async with aclosing(events):
        async for event in events:
            if event.type is StreamEventType.DONE:
                break
            yield event
            if event.type is StreamEventType.TOKEN and event.index == 0:
                draft.add(event.data)
                if draft.is_due() and draft.grow():
                    yield StreamEvent(StreamEventType.PARTIAL, draft.value)
        else:
            return
    # Computed before anything else is yielded, because a reader may leave at any event.
    problem = _problem(response, model)
    failure = problem and _failure([response], model, problem)
    if draft.grow():
        yield StreamEvent(StreamEventType.PARTIAL, draft.value)
    if failure is not None:
        raise failure from problem
    yield event


class _Draft:
    """The text of an answer so far, and the value that it holds."""

    def __init__(self, model: type[Any]) -> None:
        self._model = model
        self._pieces = list[str]()
        self._length = self._seen = 0
        self.value: Any = None

    def add(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def is_due(self) -> bool:
        """Return whether the text grew by a fiftieth: all parses together then cost linear time."""
        return self._length - self._seen > self._seen // 50

    def grow(self) -> bool:
        """Parse the value again and return whether it changed."""
        self._seen = self._length
        value = partial(self._model, "".join(self._pieces))
        if value is None or value == self.value:
            return False
        self.value = value
        return True
