"""The adapter of OpenAI's Responses API, and its requests.

Source: https://platform.openai.com/docs/api-reference/responses. Nothing is stored there unless the
caller passes `store=True`: each request has the whole history, including the model's reasoning,
which is encrypted and sent back unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...errors import CompletionError, ConfigError
from ...models import lookup
from ...types import CompletionRequest, CompletionResponse, Delta
from ...wire import SSEvent, WireRequest
from ..accepted import require_one
from ..adapter import Endpoint
from ..reading import load, load_event, read_error
from ..spelling import merged
from .answers import parse_answer
from .items import input_items
from .stream import parse_event

_ENCRYPTED = "reasoning.encrypted_content"
_OUTPUTS = "code_interpreter_call.outputs"
_LOGPROBS = "message.output_text.logprobs"


class ResponsesAdapter:
    """Responses."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        _check(request)
        stored = {**request.params, **request.extra_body}.get("store") is True
        body: dict[str, Any] = {
            "model": request.model,
            "input": input_items(request.messages, stored=stored),
            "store": stored,
        }
        for name, value in request.params.items():
            _merge(body, _SPELLED.get(name, lambda value, name=name: {name: value})(value))
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.stream:
            body["stream"] = True
        if not stored and (needed := _needed_back(request, endpoint)):
            _merge(body, {"include": needed})
        _merge(body, request.extra_body)
        return WireRequest(
            url=f"{endpoint.base_url.rstrip('/')}/responses",
            json=body,
            headers={**endpoint.bearer, **request.extra_headers},
            timeout=request.timeout,
        )

    def parse_response(self, body: bytes) -> CompletionResponse:
        return parse_answer(load(body))

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        if event.data.strip() == b"[DONE]":
            return ()
        return parse_event(load_event(event.data))

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


def _check(request: CompletionRequest) -> None:
    require_one(request.params, "the Responses API")
    if request.extra_body.get("background"):
        raise ConfigError("background answers would have to be fetched later: leave background out")


def _needed_back(request: CompletionRequest, endpoint: Endpoint) -> list[str]:
    """Return the `include` values that an unstored answer needs to be sent back complete."""
    runs_code = any(tool.get("type") == "code_interpreter" for tool in request.tools)
    needed = {_ENCRYPTED: _reasons(request, endpoint), _OUTPUTS: runs_code}
    return [name for name, is_needed in needed.items() if is_needed]


def _reasons(request: CompletionRequest, endpoint: Endpoint) -> bool:
    """Return whether the model is known to reason; others refuse encrypted reasoning."""
    if "reasoning_effort" in request.params or "reasoning" in request.extra_body:
        return True
    profile = lookup(f"{endpoint.host.name}/{request.model}")
    return profile is not None and profile.supports("reasoning") is True


def _merge(body: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Merge fields into a body; `include` lists are joined."""
    known, value = body.get("include"), more.get("include")
    merged(body, more)
    if isinstance(known, list) and isinstance(value, list):
        body["include"] = list(dict.fromkeys([*known, *value]))


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Flatten a function; a tool that the provider runs itself stays unchanged.

    In this API functions are strict by default; in the chat API they are not.
    """
    if tool.get("type") != "function":
        return _flat(tool)
    return {"parameters": _NOTHING, "strict": False, **_flat(tool)}


_NOTHING = {"type": "object", "properties": {}}


def _tool_choice(choice: Any) -> dict[str, Any]:
    return {"tool_choice": _flat(choice) if isinstance(choice, Mapping) else choice}


def _flat(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Flatten a tool of the chat API, or a choice of one; return anything else unchanged."""
    kind = item.get("type")
    inner = item.get(kind) if kind in ("function", "custom", "allowed_tools") else None
    if not isinstance(inner, Mapping):
        return item
    flat: dict[str, Any] = {"type": kind, **inner}
    if kind == "allowed_tools":
        flat["tools"] = [_flat(tool) for tool in flat.get("tools") or ()]
    return flat


def _format(wanted: Mapping[str, Any]) -> dict[str, Any]:
    schema = wanted.get("json_schema")
    flat = {"type": "json_schema", **schema} if isinstance(schema, Mapping) else wanted
    return {"text": {"format": flat}}


def _logprobs(wanted: Any) -> dict[str, Any]:
    return {"include": [_LOGPROBS]} if wanted else {}


_SPELLED: dict[str, Callable[[Any], Mapping[str, Any]]] = {
    "logprobs": _logprobs,
    "max_completion_tokens": lambda value: {"max_output_tokens": value},
    "max_tokens": lambda value: {"max_output_tokens": value},
    "n": lambda _: {},
    "reasoning_effort": lambda value: {"reasoning": {"effort": value}},
    "response_format": _format,
    "tool_choice": _tool_choice,
    "top_logprobs": lambda value: {"top_logprobs": value, "include": [_LOGPROBS]},
    "verbosity": lambda value: {"text": {"verbosity": value}},
}
