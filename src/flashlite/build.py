"""From what a caller wrote to a request: the only place where arguments are interpreted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any

from .errors import ConfigError
from .types import PARAMS, CompletionRequest, MessageInput, Timeout, normalize_messages


def build_request(
    messages: MessageInput,
    *,
    model: str | None,
    tools: Iterable[Mapping[str, Any]] | None = None,
    params: Mapping[str, Any],
    timeout: float | Timeout | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, Any] | None = None,
    **delivery: Any,
) -> CompletionRequest:
    """Check and normalise the arguments of a call.

    A parameter that is None was not given. Raises ConfigError with a sentence that says what to
    write instead.
    """
    if not model:
        raise ConfigError("no model given: pass model=... or Flashlite(default_model=...)")
    given = {name: value for name, value in params.items() if value is not None}
    for name, value in given.items():
        if name not in PARAMS:
            raise ConfigError(_unknown(name))
        if isinstance(value, float) and not isfinite(value):
            raise ConfigError(f"{name} is a finite number; got {value!r}")
    return CompletionRequest(
        model=model,
        messages=normalize_messages(messages),
        tools=tuple(_tool(tool) for tool in tools or ()),
        params={name: _CANONICAL.get(name, _same)(value) for name, value in given.items()},
        timeout=Timeout() if timeout is None else Timeout.of(timeout),
        extra_headers=extra_headers or {},
        extra_body=extra_body or {},
        **delivery,
    )


def _unknown(name: str) -> str:
    near = get_close_matches(name, PARAMS, n=1)
    hint = (
        f"did you mean {near[0]!r}?" if near else "a provider's own fields go into extra_body={...}"
    )
    return f"unknown parameter {name!r}: {hint}"


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take a tool in OpenAI's form, or the bare function."""
    if not isinstance(tool, Mapping):
        raise ConfigError(f"a tool is a dict in OpenAI's form; got {type(tool).__name__}")
    return (
        tool
        if "type" in tool and "parameters" not in tool
        else {"type": "function", "function": tool}
    )


def _tool_choice(choice: Any) -> Any:
    """Take OpenAI's words, `any` for `required`, or the name of a tool."""
    if not isinstance(choice, str) or choice in ("auto", "none", "required"):
        return choice
    return "required" if choice == "any" else {"type": "function", "function": {"name": choice}}


def _response_format(wanted: Any) -> Any:
    """Take OpenAI's object, its type alone, or a bare JSON schema."""
    if isinstance(wanted, str):
        return {"type": wanted}
    if wanted.get("type") in ("text", "json_object", "json_schema"):
        return wanted
    name = wanted.get("title", "answer")
    return {"type": "json_schema", "json_schema": {"name": name, "schema": wanted}}


def _same(value: Any) -> Any:
    return value


_CANONICAL: dict[str, Callable[[Any], Any]] = {
    "tool_choice": _tool_choice,
    "response_format": _response_format,
}
