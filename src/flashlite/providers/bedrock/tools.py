"""Converting tools to Converse's form.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import ConfigError
from ...types import CompletionRequest
from ..anthropic.schemas import closed
from ..spelling import GONE, called_tools, named_tool
from .parts import Block, cache_point

_ANYTHING = {"type": "object", "properties": {}}
_CHOICES: Mapping[str, Block] = {"auto": {"auto": {}}, "required": {"any": {}}}


def tool_config(request: CompletionRequest, *, takes_strict: bool) -> Block | None:
    """Return the tools and the choice among them, or None if there are none.

    The API has no "none" choice, so no tools are offered then. But the tools of earlier calls in
    the history have to be listed: they get a description that they are no longer available.
    """
    choice = request.params.get("tool_choice")
    if choice == "none" or not request.tools:
        gone = [_gone(name) for name in called_tools(request.messages)]
        return {"tools": gone} if gone else None
    tools = [entry for tool in request.tools for entry in _entries(tool, takes_strict)]
    return {"tools": tools, **({} if choice is None else {"toolChoice": _choice(choice)})}


def _choice(choice: Any) -> Block:
    if isinstance(choice, str):
        return _CHOICES[choice]
    return {"tool": {"name": named_tool(choice)}}


def _entries(tool: Mapping[str, Any], takes_strict: bool) -> Iterator[Block]:
    if tool.get("type") != "function":
        raise ConfigError(
            f"bedrock takes functions for tools; what a model offers of its own goes into "
            f"extra_body={{'toolConfig': ...}}; got {dict(tool)!r:.80}"
        )
    function = tool["function"]
    spec: Block = {"name": function["name"]}
    if description := function.get("description"):
        spec["description"] = description
    schema = function.get("parameters") or _ANYTHING
    strictly = closed(schema) if takes_strict and function.get("strict") else None
    spec["inputSchema"] = {"json": strictly or schema}
    if strictly is not None:
        spec["strict"] = True
    yield {"toolSpec": spec}
    yield from cache_point(tool)


def _gone(name: str) -> Block:
    return {"toolSpec": {"name": name, "description": GONE, "inputSchema": {"json": _ANYTHING}}}
