"""Answers, from our form to Inspect's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ModelFallback,
    ModelOutput,
    ModelUsage,
    StopCategory,
    StopDetails,
    StopReason,
)
from inspect_ai.tool import ToolCall as InspectToolCall
from inspect_ai.tool import ToolInfo

from ..inspect_logs.model_events import STOP_REASONS, to_usage
from ..types import Choice, CompletionResponse, Message, ToolCall, Usage
from ._answers import to_content
from ._logprobs import answer_logprobs, prompt_logprobs
from ._server_tools import keep_container


def to_output(
    response: CompletionResponse,
    *,
    model: str,
    tools: Sequence[ToolInfo] = (),
    dialect: str = "",
    before: Usage | None = None,
) -> ModelOutput:
    """Return the answer as Inspect's ModelOutput.

    Facts beyond Inspect's fields are in `metadata["flashlite"]`: the provider, the billed cost
    (Inspect computes costs from prices), the fingerprint. An answer from our cache has no usage;
    its original usage is in that metadata. `before` is the usage of failed attempts; it is added
    because Inspect counts only the usage of answers.
    """
    name = response.model or model
    used = Usage.total_of([before, None if response.cached else response.usage])
    return ModelOutput(
        model=name,
        choices=[_choice(choice, name, tools, dialect, response) for choice in response.choices],
        usage=usage_of(used),
        input_context_tokens=_context(response, is_all=used == response.usage),
        fallback=_fallback(response),
        time=response.latency,
        response_id=response.id,
        metadata={"flashlite": _provenance(response, before)},
    )


def usage_of(used: Usage | None) -> ModelUsage | None:
    """Return usage in Inspect's form."""
    return None if used is None else ModelUsage(**to_usage(used))


def _context(response: CompletionResponse, *, is_all: bool) -> int | None:
    """Return the size of the last prompt in tokens, None if the usage already says it."""
    if isinstance(known := response.facts.get("context_tokens"), int):
        return known
    return None if is_all or response.usage is None else response.usage.input_tokens


def _fallback(response: CompletionResponse) -> ModelFallback | None:
    if not response.fallback_from:
        return None
    return ModelFallback(model=response.fallback_from[0], fallback_model=response.model)


def _choice(
    choice: Choice,
    model: str,
    tools: Sequence[ToolInfo],
    dialect: str,
    response: CompletionResponse,
) -> ChatCompletionChoice:
    calls = [_call(call, tools) for call in choice.message.tool_calls or ()]
    told = response.facts.get("stop_details") if choice.finish_reason == "content_filter" else None
    message = choice.message
    if told and "refusal" in message:  # said beside the answer, and not by the model
        message = Message({name: message[name] for name in message if name != "refusal"})
    content = to_content(message, dialect=dialect)
    keep_container(content, response.facts.get("container"))
    return ChatCompletionChoice(
        message=ChatMessageAssistant(
            content=content,
            tool_calls=calls or None,
            model=model,
            source="generate",
        ),
        stop_reason=_stop_reason(choice, told),
        stop_details=_stop_details(told, choice.message),
        logprobs=answer_logprobs(choice),
        prompt_logprobs=prompt_logprobs(response.raw),
    )


def _stop_reason(choice: Choice, told: Any) -> StopReason:
    """Return why an answer ended; Gemini also says that it ended without a reason to name."""
    if isinstance(told, Mapping) and told.get("type") in _NO_REASON:
        return "unknown"
    return STOP_REASONS.get(choice.finish_reason or "", "unknown")


# Source: `finish_reason_to_stop_reason` in inspect_ai/model/_providers/google.py.
_NO_REASON = frozenset({"IMAGE_OTHER", "LANGUAGE", "NO_IMAGE", "OTHER"})


def _stop_details(told: Any, message: Message) -> StopDetails | None:
    """Return why a model refused: Claude says so beside its answer, OpenAI's models in it."""
    if not isinstance(told, Mapping):
        refusal = message.get("refusal")
        return StopDetails(type="refusal", explanation=refusal) if refusal else None
    known = {name: value for name, value in told.items() if isinstance(value, str)}
    category = known.get("category")
    return StopDetails(
        type=known.get("type"),
        category=category,
        explanation=known.get("explanation"),
        categories=[StopCategory(category=category)] if category else [],
    )


def _call(call: ToolCall, tools: Sequence[ToolInfo]) -> InspectToolCall:
    """Read a call as Inspect's own providers do.

    Arguments that are not a JSON object are one value for the tool's first parameter; quotes after
    an object are ignored (`inspect_ai/model/_call_tools.py`, `parse_tool_call`). Arguments that
    cannot be read, or are nested deeper than a log can hold, are reported to the model.
    """
    arguments, problem, text = call.arguments, call.parse_error, call.arguments_json.strip()
    first = _first_parameter(call.name, tools)
    if problem and text.startswith("{"):
        whole = ToolCall(call.id, call.name, text.rstrip("\"'` \n"))
        arguments, problem = (whole.arguments, None) if not whole.parse_error else ({}, problem)
    elif problem:  # a tool without parameters is called with none, whatever the model wrote
        arguments, problem = {first: _loose_value(text)} if first else {}, None
    if _depth(arguments) > _DEEPEST:
        arguments, problem = {}, f"the arguments are nested more than {_DEEPEST} levels deep"
    return InspectToolCall(id=call.id, function=call.name, arguments=arguments, parse_error=problem)


_DEEPEST = 100


def _depth(value: Any) -> int:
    """Count how deep a JSON value is nested, without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner = [v for v in level if isinstance(v, dict | list)]
        level = [item for v in inner for item in (v.values() if isinstance(v, dict) else v)]
    return depth


def _first_parameter(function: str, tools: Sequence[ToolInfo]) -> str | None:
    found = next((tool for tool in tools if tool.name == function), None)
    return next(iter(found.parameters.properties), None) if found else None


def _loose_value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return text


def _provenance(response: CompletionResponse, before: Usage | None) -> Mapping[str, Any]:
    lineage = response.lineage or {}
    used = Usage.total_of([before, response.usage])
    wasted = Usage.total_of([before, response.wasted])
    told = {
        "provider": response.provider,
        "cost": used and used.total_cost,
        "wasted": wasted and wasted.to_dict(),
        "request_id": response.request_id,
        "unfit": response.error,
        "cached": response.cached or None,
        "cached_usage": response.usage.to_dict() if response.cached and response.usage else None,
        "cached_cost": lineage.get("cost"),
        "similarity": lineage.get("similarity"),
        "similar_question": lineage.get("question"),
        **response.facts,
        "context_tokens": None,  # Inspect has a field for it
    }
    return {name: value for name, value in told.items() if value is not None}
