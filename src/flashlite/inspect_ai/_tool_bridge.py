"""Tools, both ways: flashlite's run by Inspect, Inspect's in flashlite's agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from inspect_ai.model import ChatMessageAssistant, ChatMessageTool, execute_tools
from inspect_ai.tool import Tool as TheirTool
from inspect_ai.tool import ToolCall as TheirCall
from inspect_ai.tool import ToolDef, ToolError, ToolParams
from inspect_ai.util import LimitExceededError, registry_info

from ..tools import Tool, ToolRegistry, ToolResult
from ..types import ToolCall
from ._memory import Memory, to_contents
from ._messages import to_messages
from ._private import TerminateSampleError
from ._schemas import tool_info

ENDING: tuple[type[Exception], ...] = (LimitExceededError, TerminateSampleError)
"""Exceptions that end a sample and are not reported to the model."""


class InspectTools(ToolRegistry):
    """Tools whose calls are run by Inspect's `execute_tools`.

    So each call is a tool event in a span of its own, approvers are asked, and long results are
    truncated as the eval is configured. The model reads the result that Inspect returns. An Inspect
    tool that is not `parallel` runs alone.
    """

    def __init__(
        self,
        tools: Iterable[Tool[..., Any] | Callable[..., Any]] = (),
        *,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(map(_ours, tools))
        self._memory: Memory = memory or getattr(tools, "_memory", None) or Memory()
        self._alone = asyncio.Lock()

    async def answer(self, call: ToolCall, *, limit: float | None = None) -> ToolResult:
        """Run a call and return its result; calls that cannot be run are logged too."""
        tool, outcome = self.get(call.name), _Outcome()
        theirs = TheirCall(
            id=call.id,
            function=call.name,
            arguments=call.arguments,
            parse_error=call.parse_error or (None if tool else self._unknown(call.name)),
        )
        history = self._memory.history_of(call.id)
        said = history[-1].text if history else ""
        asking = ChatMessageAssistant(content=said, tool_calls=[theirs])
        async with AsyncExitStack() as stack:
            if isinstance(tool, _Theirs) and not tool.definition.parallel:
                await stack.enter_async_context(self._alone)
            definitions = [] if tool is None else [_definition(tool, call, limit, outcome)]
            added, _ = await execute_tools([*history[:-1], asking], definitions)
        outcome.end_sample()
        return self._read(call, added, outcome.result)

    def _read(self, call: ToolCall, added: list[Any], own: ToolResult | None) -> ToolResult:
        """Return the result that the model reads: the tool's own, unless Inspect changed it.

        The result of a handoff is followed by the messages of the agent that took over.
        """
        message, *said = added
        assert isinstance(message, ChatMessageTool)
        result = _result(message, call)
        if own is not None and own.to_message()["content"] == result.to_message()["content"]:
            result = replace(own, name=call.name, call_id=call.id)
        self._memory.learn(result.to_message(), message)
        return replace(result, followed_by=tuple(self._memory.adopt(said)))


def as_inspect_tool(tool: Tool[..., Any] | Callable[..., Any]) -> TheirTool:
    """Return a flashlite tool, or a plain function, as an Inspect tool.

    @tool
    def search(query: str) -> str:
        "Search the archive."

    Task(dataset, solver=[use_tools(as_inspect_tool(search)), generate()])
    """
    ours = tool if isinstance(tool, Tool) else Tool(tool)
    info = tool_info(ours.to_openai())
    for name, parameter in info.parameters.properties.items():
        parameter.description = parameter.description or name  # Inspect requires one

    async def execute(**kwargs: Any) -> Any:
        return _to_inspect(await ours.run(kwargs))

    return ToolDef(
        execute,
        name=info.name,
        description=info.description or info.name,
        parameters=info.parameters,
        parallel=True,
    ).as_tool()


def as_flashlite_tool(tool: TheirTool | ToolDef) -> Tool[..., Any]:
    """Return an Inspect tool as a flashlite tool, for agents and loops inside an eval.

        flashlite_agent(tools=[as_flashlite_tool(bash())])

    The agents, solvers and chats of `flashlite.inspect_ai` also take Inspect tools as they are.
    """
    return _Theirs(tool)


class _Theirs(Tool[..., Any]):
    """An Inspect tool; Inspect gets the original object back, which a handoff needs to run."""

    def __init__(self, tool: TheirTool | ToolDef) -> None:
        self.theirs = tool
        self.definition = definition = tool if isinstance(tool, ToolDef) else ToolDef(tool)
        super().__init__(
            definition.tool,
            name=definition.name,
            description=definition.description,
            parameters=definition.parameters.model_dump(exclude_none=True),
        )


class _Outcome:
    """What a flashlite tool returned while Inspect ran it."""

    def __init__(self) -> None:
        self.result: ToolResult | None = None

    def end_sample(self) -> None:
        """Raise an error that ends the sample; Inspect would report it to the model and go on."""
        if self.result is not None and isinstance(self.result.exception, ENDING):
            raise self.result.exception


def _definition(
    tool: Tool[..., Any], call: ToolCall, limit: float | None, outcome: _Outcome
) -> TheirTool | ToolDef:
    """Return the tool that Inspect runs for a call; ours check their arguments themselves."""
    if isinstance(tool, _Theirs):
        return tool.theirs

    async def execute(**kwargs: Any) -> Any:
        outcome.result = await tool.run(kwargs, limit=limit, call_id=call.id)
        return _to_inspect(outcome.result)

    return ToolDef(
        execute,
        name=tool.name,
        description=tool.description or tool.name,
        parameters=ToolParams(additionalProperties=True),
    )


def _to_inspect(result: ToolResult) -> Any:
    if isinstance(result.exception, ENDING):
        raise result.exception
    if not result.success:
        raise ToolError(str(result.error))
    return to_contents(result.to_message()["content"])


def _result(message: ChatMessageTool, call: ToolCall) -> ToolResult:
    if message.error is not None:
        return ToolResult(error=message.error.message, name=call.name, call_id=call.id)
    [ours] = to_messages([message])
    return ToolResult(content=ours.content, name=call.name, call_id=call.id)


def _ours(tool: Any) -> Any:
    """Return an Inspect tool as ours, recognized by Inspect's registry; others unchanged."""
    if isinstance(tool, ToolDef):
        return as_flashlite_tool(tool)
    try:
        registry_info(tool)
    except ValueError:
        return tool
    return as_flashlite_tool(tool)
