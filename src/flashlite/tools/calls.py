"""Running the calls of one answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any, TypeAlias

from ..errors import ConfigError
from ..types import ToolCall
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
    `fatal` ends the run when a tool raises it, instead of being told to the model.
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
        await tell(self.on_tool_call, call)
        if refusal is None:
            result = await self._answer(call)
        else:
            result = unanswered(call, refusal)
        results[place] = result
        await tell(self.on_tool_result, result)

    async def _answer(self, call: ToolCall) -> ToolResult:
        result = await self.tools.answer(call, limit=self.tool_timeout)
        if isinstance(result.exception, self.fatal):
            raise result.exception
        if self.include_tool_errors_in_context or result.success:
            return result
        return replace(result, is_error_told=False)


def unanswered(call: ToolCall, reason: str) -> ToolResult:
    """Return the result of a call that was not run, or not to its end."""
    return ToolResult(error=reason, name=call.name, call_id=call.id)


async def tell(callback: Callable[[Any], Any] | None, news: Any) -> None:
    """Call a function that only listens; one that raises is logged and costs nothing else."""
    if callback is None:
        return
    try:
        answer = callback(news)
        if isawaitable(answer):
            await answer
    except Exception:
        log.exception("the callback %s failed", getattr(callback, "__name__", callback))
