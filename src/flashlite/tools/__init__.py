"""Tools: functions that a model may call, and the loop that runs them."""

from ..types import Completer, ToolCall
from .calls import CallRunner
from .loop import ToolLoop, ToolLoopResult, run_tool_loop
from .mcp import mcp_tools
from .registry import ToolRegistry
from .result import ToolResult
from .tool import Tool, sync_tool, tool, tool_from_function, tool_from_pydantic

__all__ = [
    "CallRunner",
    "Completer",
    "Tool",
    "ToolCall",
    "ToolLoop",
    "ToolLoopResult",
    "ToolRegistry",
    "ToolResult",
    "mcp_tools",
    "run_tool_loop",
    "sync_tool",
    "tool",
    "tool_from_function",
    "tool_from_pydantic",
]
