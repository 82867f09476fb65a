"""An agent, which can take turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from copy import copy
from dataclasses import asdict, replace
from typing import Any, Self

from ..conversation import Conversation
from ..conversation.arguments import check_client, check_kind, check_options
from ..conversation.config import one_of
from ..errors import CompletionError, ConfigError
from ..saved import options_in
from ..streaming.around import Around, inside, within
from ..tools import CallRunner, ToolRegistry, ToolResult
from ..tools.calls import Approve, OnToolResult
from ..tools.loop import Tools, fatal_of
from ..types import Completer, StreamEvent, StreamEventType
from .config import AgentConfig
from .result import AgentResult
from .run import Run
from .session import Session


class Agent:
    """A model with a system message, tools and a memory; in a chat, a persona.

    `client` (or `provider`) is any `Completer`; in a chat, an agent without one uses the chat's.
    `conversation` is a memory to continue: its client, model and options apply if none are given
    here, and so do its limits unless `max_tokens` is set. `max_turns` and `max_tokens` (the length
    of a prompt) override those of `config`. All other arguments are call options for every
    turn. `name` is also the agent's account in the cost report. The attribute `around`, if set, is
    called for each run (on a stream, for each event) and returns a context manager to run it in.

    An agent does one thing at a time: starting a second run or changing the memory during a run
    raises ConfigError. Use `fork()` to run several at once.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        system_prompt: Any = None,
        system_message: Any = None,
        model: str | None = None,
        tools: Tools = (),
        client: Completer | None = None,
        provider: Completer | None = None,
        conversation: Conversation | None = None,
        config: AgentConfig | None = None,
        max_turns: int | None = None,
        max_tokens: int | None = None,
        **options: Any,
    ) -> None:
        check_options(options, Agent, _OTHER_NAMES)
        check_kind("config", config, AgentConfig)
        check_kind("conversation", conversation, Conversation)
        shortcuts = {"max_turns": max_turns, "max_tokens": max_tokens}
        given: dict[str, Any] = {key: n for key, n in shortcuts.items() if n is not None}
        self.name, self.tools, self.options = name, ToolRegistry.of(tools), options
        self.config = replace(config or AgentConfig(), **given)
        self.client = one_of("client", client, "provider", provider)
        check_client(self.client)
        self.model = model
        self.around: Around | None = None
        system = one_of("system_prompt", system_prompt, "system_message", system_message)
        self.conversation = self._memory(conversation, system)

    @property
    def system_prompt(self) -> Any:
        """The content of the system message, None if there is none."""
        return self.conversation.system_message

    system_message = system_prompt

    async def run(
        self,
        prompt: Any = None,
        *,
        max_turns: int | None = None,
        response_model: type[Any] | None = None,
        approve: Approve | None = None,
        **options: Any,
    ) -> AgentResult:
        """Let the model call tools and read their results until it answers.

        Without a prompt, the run continues where the history ends: after an error, or when the
        turns ran out. `approve` decides which tool calls may run. All other options are call
        options.

        Mistakes of the model and its tools are reported in the result's `status`. If a call to the
        model fails, its error is raised, so that it is never mistaken for an answer. The memory
        then has the turns that were answered, and without any not even the prompt;
        `error.messages` has the history and `error.usage` what was used.
        """
        running = self._running(prompt, max_turns, response_model, approve, options)
        with inside(self.around), running as run:
            while not run.is_over:
                await run.take(await run.ask())
            return run.result()

    def stream(
        self,
        prompt: Any = None,
        *,
        max_turns: int | None = None,
        response_model: type[Any] | None = None,
        approve: Approve | None = None,
        **options: Any,
    ) -> AsyncGenerator[StreamEvent]:
        """Do what `run` does and yield it piece by piece; the last event is DONE, with the result.

        META events are dicts: `{"event": "turn_start", "turn"}`, counted from 1, and, as soon as a
        tool call has a result, `{"event": "tool_result", "tool_name", "tool_call_id", "content",
        "success", "error"}`. To stop early, wrap the call in `contextlib.aclosing`: running tools
        are then cancelled, and the memory keeps the turns so far.
        """
        events = self._events(prompt, max_turns, response_model, approve, options)
        return within(self.around, events)

    async def chat(self, prompt: Any, **options: Any) -> str:
        """Run and return the text of the answer; raises CompletionError if there is none."""
        result = await self.run(prompt, **options)
        last = result.turns[-1].response
        is_filtered = last.finish_reason == "content_filter"
        reason = result.error or last.refusal or ("content_filter" if is_filtered else None)
        if reason is None:
            return result.content
        failure = CompletionError(f"the agent has no answer: {reason}")
        failure.messages, failure.usage = tuple(self.conversation.messages), result.total_usage
        raise failure

    def fork(self) -> Self:
        """Return an independent copy of the agent, with a copy of its memory."""
        other = copy(self)
        other.conversation = self.conversation.fork()
        other.tools, other.options = type(self.tools)(self.tools), dict(self.options)
        return other

    def reset(self) -> None:
        """Forget everything but the system message."""
        self.conversation.clear()

    def save_session(self, path: str | os.PathLike[str]) -> None:
        """Write the memory, the config and the names of the tools to a file, as JSON.

        Call options that are JSON (`temperature`, …) are written too; keys, headers and addresses
        never are.
        """
        self._session().write(path)

    @classmethod
    def load_session(
        cls,
        path: str | os.PathLike[str],
        *,
        client: Completer | None = None,
        provider: Completer | None = None,
        tools: Tools = (),
        **options: Any,
    ) -> Self:
        """Read what `save_session` wrote; `tools` must have all saved tools, and may have more.

        `options`, such as `model`, override those that were saved. Raises ConfigError if tools are
        missing or the file is not a session, StoreError if it cannot be read.
        """
        asked = one_of("client", client, "provider", provider)
        return cls._restored(Session.read(path), client=asked, tools=tools, **options)

    def to_dict(self) -> dict[str, Any]:
        """Return what `save_session` writes, as a dict."""
        return self._session().to_dict()

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, Any],
        *,
        client: Completer | None = None,
        tools: Tools = (),
        **options: Any,
    ) -> Self:
        """Read what `to_dict()` wrote, as `load_session` does."""
        return cls._restored(Session.from_dict(data), client=client, tools=tools, **options)

    def __repr__(self) -> str:
        return f"Agent({self.name!r}, model={self.model!r}, tools={self.tools.names})"

    def _session(self) -> Session:
        return Session(
            name=self.name,
            model=self.model,
            config=asdict(self.config),
            tools=self.tools.names,
            options=options_in(self.options),
            conversation=self.conversation.to_dict(),
        )

    @classmethod
    def _restored(
        cls, session: Session, *, client: Completer | None, tools: Tools, **options: Any
    ) -> Self:
        registry = ToolRegistry.of(tools)
        saved = session.arguments(registry.names)
        return cls(client=client, tools=registry, **{**saved, **options})

    def _memory(self, given: Conversation | None, system: Any) -> Conversation:
        config = self.config
        if given is None:
            return Conversation(
                system,
                max_tokens=config.max_tokens,
                reserve_tokens=config.reserve_tokens,
                model=self.model,
                client=self.client,
            )
        if system is not None:
            given.system_message = system
        if config.max_tokens is not None:
            given.config = replace(
                given.config, max_tokens=config.max_tokens, reserve_tokens=config.reserve_tokens
            )
        self.client = given.client if self.client is None else self.client
        self.model = self.model or given.model
        self.options = {**given.options, **self.options}
        return given

    async def _events(
        self,
        prompt: Any,
        max_turns: int | None,
        response_model: type[Any] | None,
        approve: Approve | None,
        options: Mapping[str, Any],
    ) -> AsyncGenerator[StreamEvent]:
        told: asyncio.Queue[ToolResult | None] = asyncio.Queue()
        with self._running(
            prompt, max_turns, response_model, approve, options, told.put_nowait
        ) as run:
            while not run.is_over:
                async with aclosing(self._turn(run, told)) as events:
                    async for event in events:
                        yield event
            result = run.result()
        yield StreamEvent(StreamEventType.DONE, result)

    @contextmanager
    def _running(
        self,
        prompt: Any,
        max_turns: int | None,
        response_model: type[Any] | None,
        approve: Approve | None,
        options: Mapping[str, Any],
        on_tool_result: OnToolResult | None = None,
    ) -> Iterator[Run]:
        if self.client is None:
            raise ConfigError("this agent has nobody to ask: Agent(client=Flashlite(...))")
        run = Run(
            self.conversation,
            prompt,
            self.client,
            self._runner(self.client, approve, on_tool_result),
            max_turns=self.config.max_turns if max_turns is None else max_turns,
            stop_on_tool_error=self.config.stop_on_tool_error,
            response_model=response_model,
            options=self._options(options),
        )
        with run.kept():
            yield run

    def _runner(
        self, client: Completer, approve: Approve | None, on_tool_result: OnToolResult | None
    ) -> CallRunner:
        config = self.config
        return CallRunner(
            tools=self.tools,
            tool_timeout=config.tool_timeout,
            parallel_tool_execution=config.parallel_tool_execution,
            max_tool_calls_per_turn=config.max_tool_calls_per_turn,
            include_tool_errors_in_context=config.include_tool_errors_in_context,
            fatal=fatal_of(client),
            approve=approve,
            on_tool_result=on_tool_result,
        )

    def _options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        own = {"agent": self.name, "model": self.model}
        return {key: v for key, v in own.items() if v is not None} | self.options | dict(given)

    async def _turn(
        self, run: Run, told: asyncio.Queue[ToolResult | None]
    ) -> AsyncGenerator[StreamEvent]:
        turn = {"event": "turn_start", "turn": len(run.turns) + 1}
        yield StreamEvent(StreamEventType.META, turn)
        response: Any = None
        async with aclosing(run.events()) as events:
            async for event in events:
                if event.type is StreamEventType.DONE:
                    response = event.data
                elif self.config.stream_tool_calls or event.type not in _CALLS:
                    yield event
        async with aclosing(run.results(response, told)) as results:
            async for result in results:
                yield StreamEvent(StreamEventType.META, _tool_result_event(result))


_OTHER_NAMES = {
    **dict.fromkeys(("system", "system_msg", "instructions"), "write system_prompt=..."),
    **dict.fromkeys(("max_steps", "max_iterations", "max_rounds"), "write max_turns=..."),
    "max_tool_calls": "write config=AgentConfig(max_tool_calls_per_turn=...)",
    "response_model": "it is for one run: run(..., response_model=...)",
}
_CALLS = frozenset(
    {
        StreamEventType.TOOL_CALL_START,
        StreamEventType.TOOL_CALL_DELTA,
        StreamEventType.TOOL_CALL_END,
    }
)


def _tool_result_event(result: ToolResult) -> dict[str, Any]:
    return {
        "event": "tool_result",
        "tool_name": result.name,
        "tool_call_id": result.call_id,
        "content": result.to_string(),
        "success": result.success,
        "error": result.error,
    }
