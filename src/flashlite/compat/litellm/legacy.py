"""Functions, OpenAI's predecessor of tools, in requests, histories and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .objects import Function, ModelResponse


def with_tools(given: dict[str, Any]) -> None:
    """Turn `functions` and `function_call` into `tools` and `tool_choice`."""
    if functions := given.pop("functions", None):
        given["tools"] = [{"type": "function", "function": function} for function in functions]
    choice = given.pop("function_call", None)
    if isinstance(choice, Mapping):
        choice = {"type": "function", "function": dict(choice)}
    if choice is not None:
        given["tool_choice"] = choice


def with_tool_messages(messages: Iterable[Any]) -> list[Any]:
    """Turn function calls and results of a history into tool ones; a result is of the last call."""
    renamed: list[Any] = []
    call_id = ""
    for position, message in enumerate(messages):
        is_mapping = isinstance(message, Mapping)
        if is_mapping and message.get("role") == "function":
            renamed.append({**message, "role": "tool", "tool_call_id": call_id})
        elif is_mapping and message.get("function_call"):
            call_id = f"call_{position}"
            call = {"id": call_id, "type": "function", "function": message["function_call"]}
            rest = {name: value for name, value in message.items() if name != "function_call"}
            renamed.append({**rest, "tool_calls": [call]})
        else:
            renamed.append(message)
    return renamed


def with_function_call(response: ModelResponse) -> ModelResponse:
    """Turn an answer's first tool call into a function call; functions were called singly."""
    for choice in response.choices:
        if calls := choice.message.tool_calls:
            choice.message.function_call = Function(calls[0].function)
            choice.message.tool_calls = None
            choice.finish_reason = "function_call"
    return response
