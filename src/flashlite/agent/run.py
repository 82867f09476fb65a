"""One run of an agent, turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Literal

from ..conversation import Conversation
from ..conversation.arguments import check_count
from ..conversation.events import events_of
from ..conversation.history import message_of
from ..errors import ConfigError
from ..tools import CallRunner, ToolLoop, ToolResult
from ..types import Completer, CompletionResponse, Message, Role, StreamEvent, asking
from .result import AgentResult, TurnResult


class Run:
    """A tool loop on a conversation, to which every turn is added as soon as it is complete.

    The prompt is added together with the first answer, so that a run without any answer leaves the
    conversation unchanged.
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
        check_count("max_turns", max_turns, 1)
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
        """Reserve the conversation for this run, and add the history and the usage to errors."""
        with self._conversation.answering(), self._loop.kept():
            yield

    async def ask(self) -> CompletionResponse:
        """Return the next answer."""
        view, options = await self._request()
        response: CompletionResponse = await asking(self._client, self._response_model)(
            view, **options
        )
        return response

    async def events(self) -> AsyncGenerator[StreamEvent]:
        """Yield the events of the next answer."""
        view, options = await self._request()
        pieces = events_of(self._client, view, options, self._response_model)
        async with aclosing(pieces) as events:
            async for event in events:
                yield event

    async def take(self, response: CompletionResponse) -> None:
        """Run the calls of an answer and add both to the conversation, even if cancelled."""
        try:
            results = await self._loop.take(response)
        finally:
            if self._loop.responses:
                self._remember()
        self.turns.append(TurnResult(response=response, tool_results=results))

    async def results(
        self, response: CompletionResponse, told: asyncio.Queue[ToolResult | None]
    ) -> AsyncGenerator[ToolResult]:
        """Take an answer and yield each tool result as soon as the runner puts it into `told`."""
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
        """Return the result of the run."""
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
        messages = list(self._loop.messages)
        return await self._conversation.view(messages, options, client=self._client), options

    def _remember(self) -> None:
        new = self._loop.messages[self._known :]
        self._conversation.gain(new)
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
    """Return the history with the prompt added: a text, parts, a message, or None for none."""
    messages = conversation.messages
    if prompt is not None:
        messages.append(message_of(prompt))
    if not messages or messages[-1].role not in (Role.USER, Role.TOOL):
        raise ConfigError("there is nothing to answer: run() needs a prompt here")
    return messages
