"""Tools, from Inspect's form to ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo

from ..providers.dialects import facts_of


def to_tools(
    tools: Sequence[ToolInfo], *, dialect: str = "", internal: bool = True
) -> list[dict[str, Any]]:
    """Return the tools that the model may call, in our form.

    A `web_search` or `code_execution` tool that names this provider is run by the provider, unless
    `internal` is False; for other providers it is a function, which Inspect runs.
    """
    return [(_own(tool, dialect) if internal else None) or _function(tool) for tool in tools]


def picture_tools(modalities: Sequence[Any] | None, *, dialect: str) -> list[dict[str, Any]]:
    """Return the image generation tool, for APIs that make images by a tool.

    A modality is "image", or an object whose `options` has settings for each company.
    """
    if not facts_of(dialect).draws_by_tool:
        return []
    told = [getattr(modality, "options", None) or {} for modality in modalities or ()]
    return [{"type": "image_generation", **options.get("openai", {})} for options in told[:1]]


def to_tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    """Return a tool choice in our form."""
    if isinstance(choice, ToolFunction):
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice == "any" else choice


def _function(tool: ToolInfo) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters.model_dump(exclude_none=True),
    }
    return {"type": "function", "function": function}


def _own(tool: ToolInfo, dialect: str) -> dict[str, Any] | None:
    """Return the provider's own tool, None if it has none; Inspect keys options by company."""
    company, search, code = _OWN.get(dialect, ("", _none, None))
    options = tool.options or {}
    if tool.name == "web_search" and company in options:
        return search(options[company] or {})
    if tool.name == "code_execution" and _CODERS.get(company) in (options.get("providers") or {}):
        return code
    return None


def _none(_: Mapping[str, Any]) -> None:
    return None


def _openai(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "web_search", **options}


def _anthropic(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "web_search_20250305", "name": "web_search", **options}


def _google(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"googleSearch": dict(options)}


_CODERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}
_Own = tuple[str, Callable[[Mapping[str, Any]], dict[str, Any] | None], dict[str, Any] | None]
_RESPONSES: _Own = (
    "openai",
    _openai,
    {"type": "code_interpreter", "container": {"type": "auto"}},
)
_GEMINI: _Own = ("gemini", _google, {"codeExecution": {}})
_OWN: Mapping[str, _Own] = {
    "anthropic": (
        "anthropic",
        _anthropic,
        {"type": "code_execution_20250825", "name": "code_execution"},
    ),
    "google": _GEMINI,
    "responses": _RESPONSES,
    "azure_responses": _RESPONSES,
    "vertex_ai": _GEMINI,
}
