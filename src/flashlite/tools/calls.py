"""Running the calls of one answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import isawaitable
from time import perf_counter
from typing import Any, TypeAlias

from ..errors import ConfigError
from ..types import Message, ToolCall, current_listener
from .registry import ToolRegistry
from .result import ToolResult
from .tool import checked_timeout

log = logging.getLogger("flashlite.tools")

Approve: TypeAlias = Callable[[ToolCall], Any]
"""Says whether a call may be run, at once or as a coroutine.

True lets it run; a text refuses it and is what the model reads; anything else just refuses it.
"""

OnToolCall: TypeAlias = Callable[[ToolCall], Any]
"""Called with every call that the model makes, before it is run or refused."""

OnToolResult: TypeAlias = Callable[[ToolResult], Any]
"""Called with every result, as soon as it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRunner:
    """How calls are run: by which tools, how long, how many, and who is asked and told.

    `tool_timeout` is in seconds, for tools that have no timeout of their own. Calls beyond
    `max_tool_calls_per_turn` are not run, and the model is told so. Without
    `include_tool_errors_in_context` the model reads that a call failed, and not how. What is
    `fatal` ends the run when a tool or a callback raises it, instead of being told to the model.
    """

    tools: ToolRegistry
    tool_timeout: float | None = None
    parallel_tool_execution: bool = True
    max_tool_calls_per_turn: int | None = None
    include_tool_errors_in_context: bool = True
    fatal: tuple[type[BaseException], ...] = ()
    approve: Approve | None = None
    on_tool_call: OnToolCall | None = None
    on_tool_result: OnToolResult | None = None

    def __post_init__(self) -> None:
        checked_timeout(self.tool_timeout)
        most = self.max_tool_calls_per_turn
        if most is not None and most < 1:
            raise ConfigError(f"max_tool_calls_per_turn is at least 1; got {most}")

    async def run(self, calls: Sequence[ToolCall], results: dict[int, ToolResult]) -> None:
        """Run calls and put each result at its call's place, as soon as it is there.

        All approvals come before anything is run, one after the other, in the order of the calls.
        What `approve` raises is raised, and what is `fatal`; neither that nor cancellation leaves a
        tool running in the loop.
        """
        refusals = [await self._refusal(place, call) for place, call in enumerate(calls)]
        ones = (
            self._run_one(place, call, refusal, results)
            for place, (call, refusal) in enumerate(zip(calls, refusals, strict=True))
        )
        if not self.parallel_tool_execution:
            for one in ones:
                await one
            return
        try:
            async with asyncio.TaskGroup() as group:
                for one in ones:
                    group.create_task(one)
        except BaseExceptionGroup as raised:  # only what is fatal gets here
            raise raised.exceptions[0] from None

    async def _refusal(self, place: int, call: ToolCall) -> str | None:
        """Return why a call is not run; one that cannot be run anyway needs no approval."""
        most = self.max_tool_calls_per_turn
        if most is not None and place >= most:
            return f"not run: at most {most} calls at a time"
        if self.approve is None or call.parse_error or call.name not in self.tools:
            return None
        verdict = self.approve(call)
        if isawaitable(verdict):
            verdict = await verdict
        if verdict is True:
            return None
        return verdict if isinstance(verdict, str) and verdict else "the call was not approved"

    async def _run_one(
        self, place: int, call: ToolCall, refusal: str | None, results: dict[int, ToolResult]
    ) -> None:
        await tell(self.on_tool_call, call, fatal=self.fatal)
        with _heard(call) as heard:
            if refusal is None:
                result = await self._answer(call)
            else:
                result = unanswered(call, refusal)
            heard(result)
        results[place] = result
        await tell(self.on_tool_result, result, fatal=self.fatal)

    async def _answer(self, call: ToolCall) -> ToolResult:
        result = await self.tools.answer(call, limit=self.tool_timeout)
        if (fatal := _first_of(self.fatal, result.exception)) is not None:
            raise fatal
        if self.include_tool_errors_in_context or result.success:
            return result
        return replace(result, is_error_told=False)


@contextmanager
def _heard(call: ToolCall) -> Generator[Callable[[ToolResult], None]]:
    """Tell who listens what comes of a call, also if it is broken off."""
    listener, began = current_listener(), perf_counter()

    def tell(outcome: Any) -> None:
        if listener is not None:
            listener.tool(call, outcome, seconds=perf_counter() - began)

    try:
        yield tell
    except BaseException as error:  # fatal, or cancelled
        tell(error)
        raise


def _first_of(
    kinds: tuple[type[BaseException], ...], error: BaseException | None
) -> BaseException | None:
    """Return an exception if it is of these kinds, or the first in a task group's that is."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, (_first_of(kinds, one) for one in error.exceptions)), None)
    return error if isinstance(error, kinds) else None


def with_readable_calls(message: Message) -> Message:
    """Return an answer as it may be sent again: arguments that are no JSON object are `{}`.

    Servers that read the calls of a history (llama.cpp, vLLM) refuse all of it else. The model
    reads what it wrote in the call's result.
    """
    calls = message.tool_calls or []
    if not any(call.parse_error for call in calls):
        return message
    readable = [
        {**wire, **ToolCall(call.id, call.name).to_dict()} if call.parse_error else wire
        for call, wire in zip(calls, message["tool_calls"], strict=True)
    ]
    return Message({**message, "tool_calls": readable})


def unanswered(call: ToolCall, reason: str) -> ToolResult:
    """Return the result of a call that was not run, or not to its end."""
    return ToolResult(error=reason, name=call.name, call_id=call.id)


async def tell(
    callback: Callable[[Any], Any] | None,
    news: Any,
    *,
    fatal: tuple[type[BaseException], ...] = (),
) -> None:
    """Call a function that only listens; one that raises is logged, but for what is `fatal`."""
    if callback is None:
        return
    try:
        answer = callback(news)
        if isawaitable(answer):
            await answer
    except fatal:
        raise
    except Exception:
        log.exception("the callback %s failed", getattr(callback, "__name__", callback))
