"""Converting OpenAI's parameters to Gemini's `generationConfig`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import ConfigError
from ...models.gemini import Gemini
from ...schema import in_words
from ..spelling import wanted_schema
from .schema import taken

_SAME = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "seed": "seed",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}


def generation_config(
    params: Mapping[str, Any], model: Gemini, format: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the `generationConfig`; empty if no parameter was given."""
    config = {wire: params[name] for name, wire in _SAME.items() if name in params}
    for name, spell in _SPELLED.items():
        if name in params:
            config |= _spelled(spell, name, params[name])
    config |= format
    if thinking := _thinking(params.get("thinking"), params.get("reasoning_effort"), model):
        config["thinkingConfig"] = thinking
    return config


def answer_format(
    params: Mapping[str, Any], model: Gemini, *, has_tools: bool
) -> tuple[dict[str, Any], str | None]:
    """Return the fields that enforce JSON, or an instruction to the model where none can.

    Before Gemini 3 the API refuses JSON together with tools.
    """
    wanted: Any = params.get("response_format", {"type": "text"})
    config = _spelled(_format, "response_format", wanted)
    if not config or not has_tools or model.is_third:
        return config, None
    if wanted["type"] != "json_schema":
        raise ConfigError(
            "before Gemini 3 there is no JSON mode beside tools: pass response_model=... or a JSON "
            "schema, or ask for JSON in the prompt"
        )
    return {}, in_words(wanted_schema(wanted))


def _spelled(spell: Callable[[Any], dict[str, Any]], name: str, value: Any) -> dict[str, Any]:
    try:
        return spell(value)
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{name} is not in OpenAI's form: {value!r:.80}") from error


def _stop(stop: Any) -> dict[str, Any]:
    return {"stopSequences": [stop] if isinstance(stop, str) else list(stop)}


def _modalities(modalities: Any) -> dict[str, Any]:
    return {"responseModalities": [str(modality).upper() for modality in modalities]}


def _voice(audio: Any) -> dict[str, Any]:
    voice = {"prebuiltVoiceConfig": {"voiceName": audio.get("voice")}}
    return {"speechConfig": {"voiceConfig": voice}}


def _format(wanted: Any) -> dict[str, Any]:
    if wanted["type"] == "text":
        return {}
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    if wanted["type"] == "json_schema":
        config["responseJsonSchema"] = taken(wanted["json_schema"].get("schema") or {})
    return config


_SPELLED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "stop": _stop,
    "modalities": _modalities,
    "audio": _voice,
}


def _thinking(thinking: Any, effort: str | None, model: Gemini) -> dict[str, Any]:
    """Return the thinking config; thoughts are included if thinking was requested."""
    if thinking is not None and effort is not None:
        raise ConfigError("Gemini takes thinking or reasoning_effort, not both: leave one out")
    if thinking is not None:
        if not isinstance(thinking, Mapping):
            raise ConfigError(f'thinking is {{"budget_tokens": ...}}; got {thinking!r:.80}')
        budget = thinking.get("budget_tokens")
        if thinking.get("type") == "disabled" or budget == 0:
            return _no_thinking(model)
        return {"includeThoughts": True} | ({} if budget is None else {"thinkingBudget": budget})
    if effort is None:
        return {}
    return _no_thinking(model) if effort == "none" else _effort(effort, model)


def _effort(effort: str, model: Gemini) -> dict[str, Any]:
    if model.is_third:
        return {"includeThoughts": True, "thinkingLevel": model.thinking_level(effort)}
    budget = model.thinking_budget(effort)
    if budget is None:
        raise ConfigError(
            f"reasoning_effort is one of none, minimal, low, medium, high, xhigh; got {effort!r}"
        )
    return {"includeThoughts": True, "thinkingBudget": budget}


def _no_thinking(model: Gemini) -> dict[str, Any]:
    if model.always_thinks:
        least = model.lowest_level
        raise ConfigError(
            f"{model.name} cannot stop thinking: ask for reasoning_effort={least!r}, its least"
        )
    return {"includeThoughts": False, "thinkingBudget": 0}
