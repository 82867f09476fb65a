"""One run of an agent, by the turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Literal

from ..conversation import Conversation
from ..errors import CompletionError, ConfigError, StreamInterruptedError
from ..tools import CallRunner, ToolLoop, ToolResult
from ..types import (
    Completer,
    CompletionResponse,
    Message,
    Role,
    StreamEvent,
    StreamEventType,
    asking,
)
from .result import AgentResult, TurnResult


class Run:
    """A tool loop on a conversation, which gains every turn as soon as it is whole.

    What is said goes into the conversation together with its first answer, so that a run without
    any leaves no trace.
    """

    def __init__(
        self,
        conversation: Conversation,
        prompt: Any,
        client: Completer,
        runner: CallRunner,
        *,
        max_turns: int,
        stop_on_tool_error: bool,
        response_model: type[Any] | None,
        options: dict[str, Any],
    ) -> None:
        if max_turns < 1:
            raise ConfigError(f"max_turns is at least 1; got {max_turns}")
        if "tools" in options:
            raise ConfigError("tools belong to the agent: Agent(tools=[...])")
        self._conversation, self._known = conversation, len(conversation)
        self._client, self._response_model, self._options = client, response_model, options
        self._loop = ToolLoop(
            _to_answer(conversation, prompt),
            runner,
            max_iterations=max_turns - 1,
            tool_choice=options.pop("tool_choice", None),
            stop_on_tool_error=stop_on_tool_error,
        )
        self._max_turns = max_turns
        self.turns: list[TurnResult] = []

    @property
    def is_over(self) -> bool:
        return self._loop.stop_reason is not None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Give an error that is raised inside the history and the usage so far."""
        with self._loop.kept():
            yield

    async def ask(self) -> CompletionResponse:
        """Return the next answer."""
        view, options = await self._request()
        response: CompletionResponse = await asking(self._client, self._response_model)(
            view, **options
        )
        return response

    async def events(self) -> AsyncGenerator[StreamEvent]:
        """Yield the next answer piece by piece; a client that has no stream gives it whole."""
        stream: Callable[..., Any] | None = getattr(self._client, "stream", None)
        if stream is None:
            source = (await self.ask()).events()
        else:
            view, options = await self._request()
            shape = {"response_model": self._response_model} if self._response_model else {}
            source = stream(view, **options, **shape)
        async with aclosing(source) as events:
            async for event in events:
                if event.type is StreamEventType.ERROR:
                    raise CompletionError(_reason(event.data))
                yield event
                if event.type is StreamEventType.DONE:
                    return
        raise StreamInterruptedError("the stream ended without its last event")

    async def take(self, response: CompletionResponse) -> None:
        """Run the calls of an answer; the conversation gains both, also if this is cancelled."""
        try:
            results = await self._loop.take(response)
        finally:
            if self._loop.responses:
                self._remember()
        self.turns.append(TurnResult(response=response, tool_results=results))

    async def results(
        self, response: CompletionResponse, told: asyncio.Queue[ToolResult | None]
    ) -> AsyncGenerator[ToolResult]:
        """Take an answer and yield the results, as the runner tells them, when they are there."""
        task = asyncio.create_task(self.take(response))
        task.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (result := await told.get()) is not None:
                yield result
        finally:
            task.cancel()
            await asyncio.wait([task])
        task.result()

    def result(self) -> AgentResult:
        """Return what came of it."""
        status, error = self._outcome()
        loop = self._loop.result()
        return AgentResult(
            turns=self.turns,
            conversation=self._conversation,
            status=status,
            error=error,
            total_usage=loop.usage,
            total_cost=loop.cost,
        )

    async def _request(self) -> tuple[list[Message], dict[str, Any]]:
        options = {**self._options, **self._loop.offer}
        return await self._conversation.view(list(self._loop.messages), options), options

    def _remember(self) -> None:
        new = self._loop.messages[self._known :]
        self._conversation.extend(new)
        self._known += len(new)

    def _outcome(self) -> tuple[Literal["success", "max_turns", "error"], str | None]:
        last = self.turns[-1]
        if self._loop.stop_reason == "max_iterations":
            return "max_turns", f"no answer within max_turns={self._max_turns}"
        if self._loop.stop_reason == "tool_error":
            failed = next(result for result in last.tool_results if not result.success)
            return "error", f"{failed.name}: {failed.error}"
        if self._response_model is not None and last.response.parsed is None:
            said = last.response.refusal or last.content or "nothing"
            return "error", f"the answer has no {self._response_model.__name__}: {said:.200}"
        return "success", None


def _to_answer(conversation: Conversation, prompt: Any) -> list[Message]:
    """Return the history and what is said: a text, parts or a message, None for nothing."""
    messages = conversation.messages
    if prompt is not None:
        is_message = isinstance(prompt, Mapping) and "role" in prompt
        said: dict[str, Any] = {"role": Role.USER.value, "content": prompt}
        messages.append(Message.from_dict(prompt if is_message else said))
    if not messages or messages[-1].role not in (Role.USER, Role.TOOL):
        raise ConfigError("there is nothing to answer: run() needs a prompt here")
    return messages


def _reason(problem: Any) -> str:
    told = problem.get("error") if isinstance(problem, Mapping) else problem
    return str(told or "the stream failed")
