"""The loop: a model calls tools and reads their results until it has an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import CompletionError, ConfigError
from ..types import (
    Completer,
    CompletionResponse,
    Message,
    MessageInput,
    ToolCall,
    Usage,
    asking,
    normalize_messages,
)
from .calls import (
    Approve,
    CallRunner,
    OnToolCall,
    OnToolResult,
    tell,
    unanswered,
    with_readable_calls,
)
from .registry import ToolRegistry
from .result import ToolResult
from .tool import Tool

Tools: TypeAlias = ToolRegistry | Iterable[Tool[..., Any] | Callable[..., Any]]
"""The tools of a loop: a registry, or tools and plain functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolLoopResult:
    """The result of a tool loop.

    `content` and `parsed` are those of the last answer; `messages` is the whole history, ready to
    be continued. `tool_calls_made` and `tool_results` correspond, in the order of the calls.
    `iterations` counts the rounds of calls that were run. `usage` and `cost` (US dollars) are the
    sums of all answers, None if those of any answer are unknown. `stop_reason` is why the loop
    ended: the last answer's `finish_reason` ("stop", "length", …), "max_iterations" if the model
    wanted to go on, or "tool_error".
    """

    content: str
    parsed: Any
    messages: list[Message]
    responses: list[CompletionResponse]
    tool_calls_made: list[ToolCall]
    tool_results: list[ToolResult]
    iterations: int
    usage: Usage | None
    cost: float | None
    stop_reason: str

    @property
    def response(self) -> CompletionResponse:
        """The last answer."""
        return self.responses[-1]


async def run_tool_loop(
    client: Completer,
    messages: MessageInput,
    tools: Tools,
    *,
    model: str | None = None,
    response_model: type[Any] | None = None,
    tool_choice: str | Mapping[str, Any] | None = None,
    max_iterations: int = 10,
    max_tool_calls_per_turn: int | None = None,
    parallel_tool_execution: bool = True,
    tool_timeout: float | None = None,
    stop_on_tool_error: bool = False,
    approve: Approve | None = None,
    on_response: Callable[[CompletionResponse], Any] | None = None,
    on_tool_call: OnToolCall | None = None,
    on_tool_result: OnToolResult | None = None,
    **options: Any,
) -> ToolLoopResult:
    """Ask a model, run the tools that it calls, and ask again until it answers without a call.

    With a `response_model`, its instance is `result.parsed`. See `ToolLoop` and `CallRunner` for
    the options of tool calls; `options` go to `client.complete`. Callbacks may be coroutine
    functions; their exceptions are only logged.

    If the loop fails or is cancelled, the exception has the history so far in `error.messages` and
    what was used in `error.usage`: `run_tool_loop(client, error.messages, tools)` continues there.
    """
    runner = CallRunner(
        tools=ToolRegistry.of(tools),
        tool_timeout=tool_timeout,
        parallel_tool_execution=parallel_tool_execution,
        max_tool_calls_per_turn=max_tool_calls_per_turn,
        fatal=fatal_of(client),
        approve=approve,
        on_tool_call=on_tool_call,
        on_tool_result=on_tool_result,
    )
    loop = ToolLoop(
        messages,
        runner,
        max_iterations=max_iterations,
        tool_choice=tool_choice,
        stop_on_tool_error=stop_on_tool_error,
        on_response=on_response,
    )
    ask = asking(client, response_model)
    options |= {"model": model} if model is not None else {}
    with loop.kept():
        while loop.stop_reason is None:
            response = await ask(list(loop.messages), **loop.offer, **options)
            await loop.take(response)
    return loop.result()


class ToolLoop:
    """A tool loop step by step, for code that asks the model itself, such as on a stream.

        loop = ToolLoop("What is the weather?", CallRunner(tools=ToolRegistry([get_weather])))
        while loop.stop_reason is None:
            response = ...  # an answer to `loop.messages`, asked for with the options `loop.offer`
            results = await loop.take(response)

    At most `max_iterations` rounds of calls are run; the model reads the results of the last round
    too. With `stop_on_tool_error`, a failed call ends the loop. A `tool_choice` that forces a call
    applies only to the first answer, because the loop would otherwise never end.
    """

    def __init__(
        self,
        messages: MessageInput,
        runner: CallRunner,
        *,
        max_iterations: int = 10,
        tool_choice: str | Mapping[str, Any] | None = None,
        stop_on_tool_error: bool = False,
        on_response: Callable[[CompletionResponse], Any] | None = None,
    ) -> None:
        if max_iterations < 0:
            raise ConfigError(f"max_iterations is 0 or more; got {max_iterations}")
        self.messages: list[Message] = list(normalize_messages(messages))
        self.responses: list[CompletionResponse] = []
        self.calls: list[ToolCall] = []
        self.results: list[ToolResult] = []
        self.iterations = 0
        self.stop_reason: str | None = None
        self._runner, self._most = runner, max_iterations
        self._tool_choice, self._stops_on_error = tool_choice, stop_on_tool_error
        self._on_response = on_response

    @property
    def offer(self) -> dict[str, Any]:
        """The options of the next model call: `tools` and, if it applies, `tool_choice`."""
        tools = self._runner.tools
        offer: dict[str, Any] = {"tools": tools.to_openai()} if len(tools) else {}
        is_forcing = self._tool_choice not in (None, "auto", "none")
        if self._tool_choice is not None and not (is_forcing and self.responses):
            offer["tool_choice"] = self._tool_choice
        return offer

    @property
    def usage(self) -> Usage | None:
        """The usage of all answers, as far as it is known."""
        return Usage.total_of(response.usage for response in self.responses)

    async def take(self, response: CompletionResponse) -> list[ToolResult]:
        """Add an answer to the history, run its calls and add their results.

        Every call gets one result, even if this is cancelled. Raises CompletionError for a
        response that is not an answer.
        """
        calls = answered(response).tool_calls or []
        self.messages.append(with_readable_calls(response.message))
        self.responses.append(response)
        results: dict[int, ToolResult] = {}
        reason = "the call was broken off"
        try:
            await tell(self._on_response, response, fatal=self._runner.fatal)
            if not calls:
                self.stop_reason = response.finish_reason or "stop"
            elif self.iterations == self._most:
                self.stop_reason = "max_iterations"
                reason = f"not run: the limit of {self._most} rounds of calls is reached"
            else:
                self.iterations += 1
                await self._runner.run(calls, results)
        finally:
            settled = [results.get(n) or unanswered(call, reason) for n, call in enumerate(calls)]
            self.calls += calls
            self.results += settled
            self.messages += map(ToolResult.to_message, settled)
            self.messages += [message for result in settled for message in result.followed_by]
        if self._stops_on_error and not all(result.success for result in settled):
            self.stop_reason = self.stop_reason or "tool_error"
        return settled

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Add the history and the usage so far to any exception raised inside."""
        try:
            yield
        except BaseException as error:  # a client and `approve` can raise anything
            used = getattr(error, "usage", None)
            used = [self.usage, used if isinstance(used, Usage) else None]
            with suppress(AttributeError, TypeError):  # not every exception takes attributes
                error.messages, error.usage = tuple(self.messages), Usage.total_of(used)  # type: ignore[attr-defined]
            raise

    def result(self) -> ToolLoopResult:
        """Return the result of the loop; raises ConfigError while it has no answer."""
        if not self.responses:
            raise ConfigError("the loop has no answer yet: take() one")
        last = self.responses[-1]
        is_known = all(response.usage is not None for response in self.responses)
        usage = self.usage if is_known else None
        return ToolLoopResult(
            content=last.content,
            parsed=last.parsed,
            messages=self.messages,
            responses=self.responses,
            tool_calls_made=self.calls,
            tool_results=self.results,
            iterations=self.iterations,
            usage=usage,
            cost=usage.total_cost if usage is not None else None,
            stop_reason=self.stop_reason or "tool_calls",
        )


def answered(response: CompletionResponse) -> CompletionResponse:
    """Return a response, or raise CompletionError if it is not an answer."""
    if not response.ok:
        raise CompletionError(response.error or f"status {response.status}")
    return response


def fatal_of(client: Completer | None) -> tuple[type[BaseException], ...]:
    """Return a client's `fatal` exception types, if any; tools must not swallow these."""
    return tuple(getattr(client, "fatal", ()))
