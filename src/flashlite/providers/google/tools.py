"""Converting tools and tool choice to Gemini's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ...types import CompletionRequest
from .schema import taken

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def tools(request: CompletionRequest) -> list[dict[str, Any]]:
    """Return functions as one tool, and Gemini's own tools (`{"googleSearch": {}}`) unchanged."""
    functions = [_declaration(tool["function"]) for tool in request.tools if "function" in tool]
    native = [_native(tool) for tool in request.tools if "function" not in tool]
    if "web_search_options" in request.params:
        native.append({"googleSearch": {}})
    return ([{"functionDeclarations": functions}] if functions else []) + native


def tool_config(request: CompletionRequest) -> dict[str, Any]:
    """Return how the model must choose among the functions; empty if it is free to choose."""
    choice = request.params.get("tool_choice")
    return {} if choice is None else {"functionCallingConfig": _choice(choice)}


def _declaration(function: Mapping[str, Any]) -> dict[str, Any]:
    declaration = {"name": function["name"]}
    if description := function.get("description"):
        declaration["description"] = description
    parameters = function.get("parameters") or {}
    # Gemini refuses an object without properties, so a function without parameters omits it.
    if parameters.get("properties") or "$ref" in parameters:
        declaration["parametersJsonSchema"] = taken(parameters)
    return declaration


def _native(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "type" in tool:
        raise ConfigError(
            f"Gemini has no tool of type {tool['type']!r}; its own are written "
            '{"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}}'
        )
    return dict(tool)


def _choice(choice: Any) -> dict[str, Any]:
    try:
        return {"mode": _MODES[choice]} if isinstance(choice, str) else _named(choice)
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"tool_choice is auto, none, required or a tool's name; got {choice!r:.80}"
        ) from error


def _named(choice: Mapping[str, Any]) -> dict[str, Any]:
    if choice["type"] == "function":
        return {"mode": "ANY", "allowedFunctionNames": [choice["function"]["name"]]}
    allowed = choice["allowed_tools"]
    # AUTO takes no list of names; VALIDATED also allows an answer in text.
    mode = "ANY" if allowed.get("mode") == "required" else "VALIDATED"
    names = [tool["function"]["name"] for tool in allowed["tools"]]
    return {"mode": mode, "allowedFunctionNames": names}
