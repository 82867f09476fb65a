"""Tools by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..types import ToolCall
from .result import ToolResult
from .tool import Tool


class ToolRegistry:
    """The tools that a model is offered, in the order in which they were added.

    Iterating yields the tools, so a registry can be passed wherever tools are taken. A plain
    function becomes a `Tool`. Adding a second tool with the same name raises ConfigError.
    """

    def __init__(self, tools: Iterable[Tool[..., Any] | Callable[..., Any]] = ()) -> None:
        if isinstance(tools, Tool | str | Mapping) or not isinstance(tools, Iterable):
            raise ConfigError(f"tools is a list of tools; got {tools!r:.80}")
        self._tools: dict[str, Tool[..., Any]] = {}
        for one in tools:
            self.register(one)

    @classmethod
    def of(
        cls, tools: ToolRegistry | Iterable[Tool[..., Any] | Callable[..., Any]]
    ) -> ToolRegistry:
        """Return a registry as it is, or a new one with these tools."""
        return tools if isinstance(tools, ToolRegistry) else cls(tools)

    @property
    def tools(self) -> list[Tool[..., Any]]:
        """All tools, as a new list."""
        return list(self._tools.values())

    @property
    def names(self) -> list[str]:
        """The names of all tools."""
        return list(self._tools)

    def register(self, tool: Tool[..., Any] | Callable[..., Any]) -> Tool[..., Any]:
        """Add a tool and return it, so that this can be used as a decorator."""
        added = tool if isinstance(tool, Tool) else Tool(tool)
        if added.name in self._tools:
            raise ConfigError(f"there is a tool named {added.name!r} already: tool(name=...)")
        self._tools[added.name] = added
        return added

    def unregister(self, name: str) -> Tool[..., Any]:
        """Remove a tool and return it; raises ConfigError if there is none of that name."""
        if name not in self._tools:
            raise ConfigError(self._unknown(name))
        return self._tools.pop(name)

    def get(self, name: str) -> Tool[..., Any] | None:
        """Return the tool of that name, None if there is none."""
        return self._tools.get(name)

    async def execute(
        self, name: str, arguments: str | Mapping[str, Any] = "", *, limit: float | None = None
    ) -> ToolResult:
        """Run a tool by name; `arguments` is a dict, or JSON text as a model writes it."""
        return await self.answer(ToolCall("", name, arguments), limit=limit)

    async def answer(self, call: ToolCall, *, limit: float | None = None) -> ToolResult:
        """Run a model's tool call; a call that cannot be run gives a result with an `error`.

        `limit` is in seconds, for tools that have no timeout of their own.
        """
        tool = self._tools.get(call.name)
        error = call.parse_error if tool else self._unknown(call.name)
        if tool is None or error is not None:
            return ToolResult(error=error, name=call.name, call_id=call.id)
        return await tool.run(call.arguments, limit=limit, call_id=call.id)

    def to_openai(self) -> list[dict[str, Any]]:
        """Return all tools in OpenAI's form."""
        return [tool.to_openai() for tool in self]

    def __iter__(self) -> Iterator[Tool[..., Any]]:
        return iter(self.tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __repr__(self) -> str:
        return f"ToolRegistry({', '.join(self._tools)})"

    def _unknown(self, name: str) -> str:
        known = ", ".join(self._tools) or "none"
        return f"there is no tool named {name[:80]!r}; there are: {known}"
