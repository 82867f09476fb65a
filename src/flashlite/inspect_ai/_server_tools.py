"""Calls of a provider's own tools within an answer, from our form to Inspect's and back.

Parts of an answer that only its provider understands go back to that provider unchanged, and to no
other: they are kept under the name of its dialect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    Content,
    ContentData,
    ContentImage,
    ContentToolUse,
)

Kind = Literal["web_search", "mcp_call", "code_execution"]
_KINDS: Mapping[str, Kind] = {
    "code_interpreter_call": "code_execution",
    "mcp_call": "mcp_call",
    "mcp_list_tools": "mcp_call",
    "mcp_tool_use": "mcp_call",
    "web_search_call": "web_search",
}
_SERVER = "server_tool_use"  # Anthropic's type; the part's `name` says which tool
_PICTURE = "image_generation_call"


Parts = Sequence[Mapping[str, Any]]


def with_results(parts: Parts) -> Iterator[tuple[Parts, Mapping[str, Any] | None]]:
    """Yield the parts in groups, each call of a server tool with its result if there is one.

    Results right after a call are in its group, even those of other calls: of parallel calls, all
    results follow the last call, and they have to be sent back in that order.
    """
    calls = {str(part["id"]) for part in parts if part.get("id")}
    results: dict[str, Mapping[str, Any]] = {}
    runs: list[list[Mapping[str, Any]]] = []
    for part in parts:
        if (used := str(part.get("tool_use_id"))) in calls:
            results[used] = part
        if used in calls and runs and runs[-1][0].get("id"):
            runs[-1].append(part)
        else:
            runs.append([part])
    for run in runs:
        yield run, results.get(str(run[0].get("id")))


def to_content(parts: Parts, result: Mapping[str, Any] | None, *, dialect: str) -> Content:
    """Return a provider's own part in a form that readers of the log understand.

    `parts` are the part itself and what is sent back together with it.
    """
    kept: Any = {dialect: [dict(one) for one in parts]}
    part = parts[0]
    kind = _kind(part)
    if kind is not None:
        return ContentToolUse(
            tool_type=kind,
            id=str(part.get("id") or ""),
            name=_name(part),
            context=_text(_first(part, "server_name", "server_label")) or None,
            arguments=_text(_first(part, "input", "action", "arguments", "code")),
            result=_text(_first(result or part, "content", "output", "outputs", "tools")),
            error=_error(part, result),
            internal=kept,
        )
    if part.get("type") == _PICTURE and isinstance(base64 := part.get("result"), str):
        uri = f"data:image/{part.get('output_format') or 'png'};base64,{base64}"
        return ContentImage(image=uri, internal={dialect: [{**part, "result": None}]})
    return ContentData(data=dict(part), internal=kept)


def from_content(content: Content, *, dialect: str) -> list[dict[str, Any]]:
    """Return the original parts if they came from this dialect, else none."""
    kept: Any = content.internal.get(dialect) if isinstance(content.internal, dict) else None
    parts = [dict(part) for part in kept or () if isinstance(part, Mapping)]
    for part in parts:
        if part.get("type") == _PICTURE and isinstance(content, ContentImage):
            part["result"] = content.image.partition(",")[2]
    return parts


def keep_container(content: str | Sequence[Content], container: Any) -> None:
    """Keep the container's id in calls that still run, because the next request must name it."""
    if not isinstance(container, Mapping):
        return
    for one in content:
        if isinstance(one, ContentToolUse) and isinstance(one.internal, dict) and not one.result:
            one.internal["container"] = container.get("id")


def container_of(messages: Sequence[ChatMessage], *, dialect: str) -> str | None:
    """Return the id of the container in which a call of the last answer still runs, or None."""
    answers = (one for one in reversed(messages) if isinstance(one, ChatMessageAssistant))
    for part in next((one.content for one in answers), ""):
        kept: Any = part.internal if isinstance(part, ContentToolUse) else None
        if isinstance(kept, dict) and dialect in kept and kept.get("container"):
            return str(kept["container"])
    return None


def _kind(part: Mapping[str, Any]) -> Kind | None:
    kind = str(part.get("type"))
    if kind != _SERVER:
        return _KINDS.get(kind)
    name = str(part.get("name"))
    if name in ("web_search", "web_fetch"):
        return "web_search"
    return "code_execution" if "code_execution" in name else None


def _name(part: Mapping[str, Any]) -> str:
    action = part.get("action")
    told = action.get("type") if isinstance(action, Mapping) else None
    return str(part.get("name") or told or part.get("type"))


def _first(part: Mapping[str, Any], *names: str) -> Any:
    return next((part[name] for name in names if part.get(name) is not None), None)


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _error(part: Mapping[str, Any], result: Mapping[str, Any] | None) -> str | None:
    told = (result or {}).get("content")
    if isinstance(told, Mapping) and told.get("error_code"):
        return str(told["error_code"])
    if (result or {}).get("is_error"):
        return "error"
    error = part.get("error") or (part.get("status") == "failed" and "failed")
    return _text(error) if error else None
