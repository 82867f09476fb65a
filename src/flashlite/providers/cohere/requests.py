"""Converting requests to Cohere's JSON.

Pass fields that only Cohere has (`documents`, `citation_options`, `safety_mode`) in `extra_body`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ...types import CompletionRequest, Message, Role
from ..accepted import require_one
from ..spelling import named_tool, wanted_schema

_NAMES = {
    "max_completion_tokens": "max_tokens",
    "stop": "stop_sequences",
    "top_k": "k",
    "top_p": "p",
}
# Thinking tokens for each effort; the reference recommends no limit, so high efforts set none.
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 4096}


def body_of(request: CompletionRequest) -> dict[str, Any]:
    """Return the JSON body; raise ConfigError for what Cohere does not support."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        **_params(request.params),
        **_tools(request),
    }
    if request.stream:
        body["stream"] = True
    return {**body, **request.extra_body}


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    require_one(params, "Cohere")
    said = {
        _NAMES.get(name, name): value
        for name, value in params.items()
        if name not in ("n", "reasoning_effort", "tool_choice")
    }
    if isinstance(stop := said.get("stop_sequences"), str):
        said["stop_sequences"] = [stop]
    if "response_format" in said:
        said["response_format"] = _response_format(said["response_format"])
    if "thinking" in params or "reasoning_effort" in params:
        said["thinking"] = _thinking(params)
    return said


def _thinking(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Cohere's object; `thinking` overrides the effort, because it is more exact."""
    if "thinking" in params:
        if not isinstance(params["thinking"], Mapping):
            raise ConfigError(
                'thinking is {"type": "enabled", "token_budget": ...}; got '
                f"{params['thinking']!r:.80}"
            )
        given = dict(params["thinking"])
        if "budget_tokens" in given:  # Anthropic's name for it
            given["token_budget"] = given.pop("budget_tokens")
        return given
    effort = params["reasoning_effort"]
    if effort == "none":
        return {"type": "disabled"}
    budget = {"token_budget": _BUDGETS[effort]} if effort in _BUDGETS else {}
    return {"type": "enabled", **budget}


def _response_format(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    if wanted["type"] != "json_schema":
        return wanted
    return {"type": "json_object", "json_schema": wanted_schema(wanted)}


def _tools(request: CompletionRequest) -> dict[str, Any]:
    """Return the tools and the tool choice.

    The API cannot require one certain tool, so only that tool is offered and a call is required.
    One `strict` tool makes all of them strict, because Cohere has a single switch.
    """
    choice = request.params.get("tool_choice")
    tools = [_function(tool) for tool in request.tools]
    said: dict[str, Any] = {}
    if isinstance(choice, Mapping):
        name = named_tool(choice)
        tools = [tool for tool in tools if tool["name"] == name]
        if not tools:
            raise ConfigError(f"tool_choice names {name!r}, which is not among the tools")
        said["tool_choice"] = "REQUIRED"
    elif choice in ("none", "required"):
        said["tool_choice"] = choice.upper()
    strict = [tool.pop("strict", False) for tool in tools]
    if any(strict):
        said["strict_tools"] = True
    if tools:
        said["tools"] = [{"type": "function", "function": tool} for tool in tools]
    return said


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "function" not in tool:
        raise ConfigError(f"Cohere takes functions as tools, none of type {tool.get('type')!r}")
    return dict(tool["function"])


def _message(message: Message) -> Mapping[str, Any]:
    """Return the message to send, without a name, which the API does not have."""
    match message.role:
        case Role.SYSTEM | Role.DEVELOPER:
            return {"role": "system", "content": _content(message.content)}
        case Role.USER:
            return {"role": "user", "content": _content(message.content)}
        case Role.TOOL:
            result = _content(message.content)
            return {"role": "tool", "tool_call_id": message.tool_call_id, "content": result}
        case Role.ASSISTANT:
            return _assistant(message)


def _content(content: Any) -> Any:
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if part.get("type") in ("input_audio", "file"):
            raise ConfigError(
                f"Cohere takes text and images, no part of type {part['type']}: give documents as "
                'text, or in extra_body={"documents": [...]}'
            )
    return list(content)


def _assistant(message: Message) -> Mapping[str, Any]:
    content = _answer_text(message)
    calls, reasoning = message.get("tool_calls"), message.get("reasoning_content")
    thoughts = [block for block in message.get("thinking_blocks") or () if _is_ours(block)]
    plans = [block["tool_plan"] for block in thoughts if block["type"] == "tool_plan"]
    if calls and reasoning and not thoughts:
        plans = [reasoning]  # of another model or from a log; a plan may be any text
    thinking = [block for block in thoughts if block["type"] == "thinking"]
    if thinking:
        text = [{"type": "text", "text": content}] if isinstance(content, str) else content
        content = [*thinking, *(text if content else ())]
    wire: dict[str, Any] = {"role": "assistant"}
    if content or not calls:
        wire["content"] = content
    if plans and calls:
        wire["tool_plan"] = "".join(plans)
    return wire | ({"tool_calls": calls} if calls else {})


def _answer_text(message: Message) -> Any:
    """Return the text of an answer, without other APIs' parts, such as images."""
    content = message.content
    if isinstance(content, list | tuple):
        content = [part for part in content if part.get("type") == "text"]
    return content or message.get("refusal") or ""


def _is_ours(block: Mapping[str, Any]) -> bool:
    """Return whether a thinking block is Cohere's, whose blocks are unsigned."""
    kind = block.get("type")
    return kind in ("thinking", "tool_plan") and block.keys() == {"type", kind}
