"""Converting parameters with OpenAI's names to the fields of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ...models import ModelProfile
from ...schema import in_words
from ...types import CompletionRequest
from ..accepted import require_one
from ..spelling import GONE, called_tools, named_tool, wanted_schema
from .schemas import closed
from .thinking import max_tokens, thinking_of

_OURS = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "n",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "stop",
        "thinking",
        "tool_choice",
        "user",
    }
)
_CHOICES = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}}


def body_of(
    request: CompletionRequest, profile: ModelProfile | None, format: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the fields of a request except its messages; `format` is the answer's format."""
    params = request.params
    require_one(params, "Claude")
    limit = max_tokens(params, profile)
    thinking, effort = thinking_of(params, profile, limit)
    output = {"effort": effort, "format": format}
    fields = {
        "thinking": thinking,
        "output_config": {name: value for name, value in output.items() if value},
        "stop_sequences": _stops(params.get("stop")),
        "tools": [_tool(tool) for tool in request.tools],
        "tool_choice": _tool_choice(request),
        "metadata": _metadata(params),
        **_gone_tools(request),
    }
    return {
        "max_tokens": limit,
        **{name: value for name, value in params.items() if name not in _OURS},
        **{name: value for name, value in fields.items() if value},
    }


def output_format(wanted: Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, str | None]:
    """Return the answer's format, or an instruction to the model if its schema is unsupported.

    Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs; no beta header
    is needed any more.
    """
    if wanted is None or wanted["type"] == "text":
        return None, None
    if wanted["type"] != "json_schema":
        raise ConfigError(
            "Claude has no JSON mode without a schema: pass response_model=... or a JSON schema, "
            "or ask for JSON in the prompt"
        )
    schema = wanted_schema(wanted)
    if (sayable := closed(schema)) is not None:
        return {"type": "json_schema", "schema": sayable}, None
    return None, in_words(schema)


def _stops(stop: Any) -> list[str] | None:
    return [stop] if isinstance(stop, str) else stop and list(stop)


def _gone_tools(request: CompletionRequest) -> dict[str, Any]:
    """Return the tools of earlier calls if no tools are given: the API requires them."""
    if request.tools or "tools" in request.extra_body:
        return {}
    gone = [
        {"name": name, "description": GONE, "input_schema": _NOTHING}
        for name in called_tools(request.messages)
    ]
    return {"tools": gone, "tool_choice": _CHOICES["none"]} if gone else {}


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a function as a tool; Anthropic's own tools, such as web search, unchanged."""
    if "function" not in tool:
        return tool
    function = dict(tool["function"])
    schema = function.pop("parameters", None) or function.get("input_schema") or _NOTHING
    if function.get("strict"):
        schema = closed(schema) or schema
    beside = {name: value for name, value in tool.items() if name not in ("type", "function")}
    return {**function, **beside, "input_schema": schema}


def _tool_choice(request: CompletionRequest) -> Mapping[str, Any] | None:
    choice: Mapping[str, Any] | str | None = request.params.get("tool_choice")
    if isinstance(choice, str):
        choice = _CHOICES[choice]
    elif choice is not None and choice.get("type", "function") == "function":
        choice = {"type": "tool", "name": named_tool(choice)}
    one_by_one = request.params.get("parallel_tool_calls") is False and bool(request.tools)
    if one_by_one and choice != _CHOICES["none"]:
        choice = {**(choice or _CHOICES["auto"]), "disable_parallel_tool_use": True}
    return choice


def _metadata(params: Mapping[str, Any]) -> Mapping[str, Any]:
    user = {"user_id": params["user"]} if "user" in params else {}
    return {**params.get("metadata", {}), **user}
