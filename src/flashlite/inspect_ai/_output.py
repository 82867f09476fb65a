"""From our answers to Inspect's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    Content,
    ContentReasoning,
    ContentText,
    Logprobs,
    ModelOutput,
    ModelUsage,
    StopReason,
)
from inspect_ai.tool import ToolCall as InspectToolCall
from inspect_ai.tool import ToolInfo

from ..types import Choice, CompletionResponse, Message, ToolCall, Usage

_STOP_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "length": "max_tokens",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def to_output(
    response: CompletionResponse, *, model: str, tools: Sequence[ToolInfo] = ()
) -> ModelOutput:
    """Return the answer as Inspect wants it.

    What the provider told beyond Inspect's fields is in `metadata["flashlite"]`: who served it,
    what it billed (Inspect computes costs from prices), its fingerprint.
    """
    name = response.model or model
    return ModelOutput(
        model=name,
        choices=[_choice(choice, name, tools) for choice in response.choices],
        usage=to_usage(response.usage) if response.usage else None,
        time=response.latency,
        response_id=response.id,
        metadata={"flashlite": _provenance(response)},
    )


def to_usage(usage: Usage) -> ModelUsage:
    """Return tokens as Inspect counts them: its `input_tokens` leaves out cached ones."""
    cached, written = usage.input_tokens_cached, usage.input_tokens_cache_write
    return ModelUsage(
        input_tokens=max(0, usage.input_tokens - cached - written),
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        input_tokens_cache_read=cached or None,
        input_tokens_cache_write=written or None,
        reasoning_tokens=usage.reasoning_tokens or None,
        total_cost=usage.total_cost,
    )


def _choice(choice: Choice, model: str, tools: Sequence[ToolInfo]) -> ChatCompletionChoice:
    calls = [_call(call, tools) for call in choice.message.tool_calls or ()]
    message = ChatMessageAssistant(
        content=_content(choice.message),
        tool_calls=calls or None,
        model=model,
        source="generate",
    )
    logprobs = choice.logprobs and choice.logprobs.get("content")
    return ChatCompletionChoice(
        message=message,
        stop_reason=_STOP_REASONS.get(choice.finish_reason or "", "unknown"),
        logprobs=Logprobs.model_validate({"content": logprobs}) if logprobs else None,
    )


def _content(message: Message) -> str | list[Content]:
    reasoning, refusal = message.get("reasoning_content"), message.get("refusal")
    if not reasoning and not refusal:
        return message.text
    parts: list[Content] = [ContentReasoning(reasoning=reasoning)] if reasoning else []
    if message.text:
        parts.append(ContentText(text=message.text))
    if refusal:
        parts.append(ContentText(text=refusal, refusal=True))
    return parts


def _call(call: ToolCall, tools: Sequence[ToolInfo]) -> InspectToolCall:
    """Read a call as Inspect's own providers do.

    Arguments that are no JSON object are one value for the tool's first parameter
    (`inspect_ai/model/_call_tools.py`, `parse_tool_call`); what cannot be read is told the model.
    """
    arguments, problem = call.arguments, call.parse_error
    first = _first_parameter(call.name, tools)
    if problem and first and not call.arguments_json.lstrip().startswith("{"):
        arguments, problem = {first: _loose_value(call.arguments_json)}, None
    return InspectToolCall(id=call.id, function=call.name, arguments=arguments, parse_error=problem)


def _first_parameter(function: str, tools: Sequence[ToolInfo]) -> str | None:
    found = next((tool for tool in tools if tool.name == function), None)
    return next(iter(found.parameters.properties), None) if found else None


def _loose_value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return text


def _provenance(response: CompletionResponse) -> Mapping[str, Any]:
    told = {
        "provider": response.provider,
        "cost": response.cost,
        "request_id": response.request_id,
        **response.facts,
    }
    return {name: value for name, value in told.items() if value is not None}
