"""Converting parameters to Converse's form, which has a separate field for model-specific ones.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ...models.bedrock import BedrockModel
from ...schema import in_words
from ..anthropic.schemas import closed
from ..anthropic.thinking import given_thinking, max_tokens, thinking_of
from ..spelling import wanted_schema
from .parts import Block

_INFERENCE = {
    "max_tokens": "maxTokens",
    "max_completion_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
}


def inference_config(params: Mapping[str, Any], fields: Block, model: BedrockModel) -> Block:
    """Return the parameters of all models; `fields` are this model's own ones.

    A thinking budget has to be below the answer's limit, so a limit is sent with it.
    """
    config = {wire: params[name] for name, wire in _INFERENCE.items() if name in params}
    if "maxTokens" not in config and (fields.get("thinking") or {}).get("budget_tokens"):
        config["maxTokens"] = max_tokens(params, model.profile)
    if (stop := params.get("stop")) is not None:
        config["stopSequences"] = [stop] if isinstance(stop, str) else list(stop)
    return config


def service_tier(params: Mapping[str, Any]) -> Block | None:
    """Return the service tier; OpenAI's "auto" is AWS's default, so it is not sent."""
    tier = params.get("service_tier", "auto")
    return None if tier == "auto" else {"type": tier}


def answer_format(params: Mapping[str, Any], model: BedrockModel) -> tuple[Block, str | None]:
    """Return the field that enforces a schema, or an instruction to the model without one."""
    wanted: Any = params.get("response_format") or {"type": "text"}
    if wanted["type"] == "text":
        return {}, None
    if wanted["type"] != "json_schema":
        raise ConfigError(
            "bedrock has no JSON mode without a schema: pass response_model=... or a JSON schema, "
            "or ask for JSON in the prompt"
        )
    asked, given = wanted_schema(wanted), wanted["json_schema"]
    sayable = None if model.takes_schema is False else closed(asked)
    if sayable is None:
        return {}, in_words(asked)
    named = {name: given[name] for name in ("name", "description") if given.get(name)}
    schema = {"schema": json.dumps(sayable, ensure_ascii=False), **named}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}, None


def model_fields(params: Mapping[str, Any], model: BedrockModel, tools: Block | None) -> Block:
    """Return the model-specific parameters; `tools` is the request's `toolConfig`."""
    fields: Block = {}
    if (top_k := params.get("top_k")) is not None:
        fields |= {"inferenceConfig": {"topK": top_k}} if model.nests_top_k else {"top_k": top_k}
    if tools and params.get("parallel_tool_calls") is False:
        fields["tool_choice"] = _one_by_one(model, chooses="toolChoice" in tools)
    return fields | _reasoning(params, model)


def _one_by_one(model: BedrockModel, *, chooses: bool) -> Block:
    if not model.can_call_one_by_one:
        raise ConfigError(
            f"{model.name} cannot be kept from parallel calls: leave out parallel_tool_calls"
        )
    # The API refuses a type here together with `toolChoice`.
    return {**({} if chooses else {"type": "auto"}), "disable_parallel_tool_use": True}


def _reasoning(params: Mapping[str, Any], model: BedrockModel) -> Block:
    """Return an effort in the form of the model's maker; `thinking` is sent unchanged."""
    effort, given = params.get("reasoning_effort"), given_thinking(params)
    fields: Block = {} if given is None else {"thinking": given}
    if effort is None:
        return fields
    match model.thinks_by:
        case "thinking":
            return _claude(params, model)
        case "reasoningConfig":
            return {**fields, "reasoningConfig": _nova(effort)}
        case "reasoning_effort":
            return {**fields, "reasoning_effort": effort}
        case "reasoning":
            return {**fields, "reasoning": {"effort": effort}}
    if effort == "none":
        return fields
    raise ConfigError(
        f"{model.name} takes no reasoning_effort on Bedrock, as far as is known: leave it out, or "
        "write it in the model's own words in extra_body={'additionalModelRequestFields': ...}"
    )


def _claude(params: Mapping[str, Any], model: BedrockModel) -> Block:
    profile = model.profile
    thinking, effort = thinking_of(params, profile, max_tokens(params, profile))
    fields: Block = {} if thinking is None else {"thinking": thinking}
    return fields | ({} if effort is None else {"output_config": {"effort": effort}})


def _nova(effort: str) -> Block:
    if effort == "none":
        return {"type": "disabled"}
    told = {"minimal": "low", "xhigh": "high"}.get(effort, effort)
    return {"type": "enabled", "maxReasoningEffort": told}
