"""Running the tool calls of one answer."""

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
"""Decides whether a call may run, as a function or a coroutine function.

True lets it run; a text refuses it, and the model reads that text; anything else refuses it.
"""

OnToolCall: TypeAlias = Callable[[ToolCall], Any]
"""Called with every tool call of the model, before it is run or refused."""

OnToolResult: TypeAlias = Callable[[ToolResult], Any]
"""Called with every tool result, as soon as it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRunner:
    """How tool calls are run: the tools, their limits, and the callbacks.

    `tool_timeout` is in seconds, for tools that have no timeout of their own. Calls beyond
    `max_tool_calls_per_turn` are not run, and the model is told so. Without
    `include_tool_errors_in_context`, the model reads only that a call failed, not why. A `fatal`
    exception from a tool or a callback ends the run; the model does not read it.
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
        """Run calls and store each result in `results` by its call's position, when it is there.

        All approvals come before anything is run, one at a time, in the order of the calls.
        Exceptions of `approve` and `fatal` ones are raised; neither these nor cancellation leave a
        tool running in the event loop.
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
        except BaseExceptionGroup as raised:  # only fatal exceptions get here
            raise raised.exceptions[0] from None

    async def _refusal(self, place: int, call: ToolCall) -> str | None:
        """Return why a call is refused, None if it may run; invalid calls need no approval."""
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
    """Report the outcome of a call to the current listener, even if the call is interrupted."""
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
    """Return an exception if it is of these kinds, or the first such one in an exception group."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, (_first_of(kinds, one) for one in error.exceptions)), None)
    return error if isinstance(error, kinds) else None


def with_readable_calls(message: Message) -> Message:
    """Return an answer as it can be sent again: arguments that are not a JSON object become `{}`.

    Otherwise, servers that parse the calls of a history (llama.cpp, vLLM) refuse the request. The
    model reads what it wrote in the call's result.
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
    """Return the result of a call that was not run or not finished."""
    return ToolResult(error=reason, name=call.name, call_id=call.id)


async def tell(
    callback: Callable[[Any], Any] | None,
    news: Any,
    *,
    fatal: tuple[type[BaseException], ...] = (),
) -> None:
    """Call a callback; its exceptions are logged, except `fatal` ones, which are raised."""
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
