"""Every field of Inspect's GenerateConfig: sent, obeyed by Inspect itself, reported or refused.

Source: `inspect_ai/model/_generate_config.py` and the native providers. When a new release adds a
field, `tests/inspect_ai/test_config.py` fails until the field is put into one of these groups.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from inspect_ai.model import GenerateConfig
from inspect_ai.util import warn_once

from ..providers.spelling import merged
from ._private import PrerequisiteError

log = logging.getLogger("flashlite.inspect_ai")

SENT = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_seqs": "stop",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "logit_bias": "logit_bias",
    "seed": "seed",
    "num_choices": "n",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "parallel_tool_calls": "parallel_tool_calls",
    "verbosity": "verbosity",
    "reasoning_effort": "reasoning_effort",
}
"""Inspect's parameter names and ours; the dialect reports what a host does not take."""

TRANSLATED = {"reasoning_tokens", "response_schema", "extra_headers", "extra_body"}
"""Sent too, in another form."""

OBEYED_BY_INSPECT = {
    "max_retries",
    "timeout",
    "attempt_timeout",
    "stream_idle_timeout",
    "max_connections",
    "adaptive_connections",
    "system_message",
    "max_tool_output",
    "fail_on_refusal",
    "reasoning_history",
    "cache",
    "internal_tools",
}
"""Handled by Inspect; an idle timeout makes us stream, and `_tools.py` reads `internal_tools`."""

BY_DIALECT = {
    "cache_prompt",
    "effort",
    "fallback_models",
    "modalities",
    "prompt_logprobs",
    "reasoning_mode",
    "reasoning_summary",
}
"""Sent to APIs that have such a parameter; for the others, a warning is logged once."""

OF_TRAVEL = {"batch"}
"""How a request is sent, not what it says: see `_batches.py`."""

REFUSED = {"best_of"}
"""Refused, because an eval that relies on these would measure something else or hang."""

_MEASURED = {"modalities", "prompt_logprobs"}
"""An eval that asks for these scores them, so they are refused for APIs that lack them."""

_INSTEAD = {
    "best_of": "ask num_choices and choose in the scorer",
}
_BETA = "anthropic-beta"
_FALLBACK_BETA = "server-side-fallback-2026-06-01"
_RESPONSES = ("responses", "azure_responses")
_GEMINI = ("google", "vertex_ai")


def to_options(
    config: GenerateConfig,
    *,
    model: str,
    has_tools: bool,
    dialect: str = "",
    strict: bool = False,
) -> dict[str, Any]:
    """Return the call options for a config; raises PrerequisiteError for refused fields."""
    given = {name: value for name in _KNOWN if _is_said(value := getattr(config, name, None))}
    for name in sorted(given.keys() & REFUSED):
        instead = f": {_INSTEAD[name]}" if name in _INSTEAD else ""
        raise PrerequisiteError(f"flashlite/{model} cannot do {name}{instead}; leave it out.")
    options = {ours: getattr(config, theirs) for theirs, ours in SENT.items()}
    if not has_tools:
        del options["parallel_tool_calls"]
    if config.logit_bias is not None:
        options["logit_bias"] = {str(token): bias for token, bias in config.logit_bias.items()}
    if config.reasoning_tokens is not None:
        options["thinking"] = {"type": "enabled", "budget_tokens": config.reasoning_tokens}
    if config.response_schema is not None:
        options["response_format"] = _response_format(config)
    if dialect in _GEMINI and config.reasoning_effort == "max":
        options["reasoning_effort"] = "xhigh"
    options["extra_headers"] = config.extra_headers
    options["extra_body"] = config.extra_body
    for name in sorted(given.keys() & BY_DIALECT):
        spell = _SPELLED.get((dialect, name))
        if spell is None:
            _cannot(name, given[name], model=model, strict=strict)
        else:
            _add(options, spell(given[name]))
    return {name: value for name, value in options.items() if value is not None}


_KNOWN = {*SENT, *TRANSLATED, *BY_DIALECT, *REFUSED}


def _is_said(value: Any) -> bool:
    return value not in (None, False, [])


def _cannot(name: str, value: Any, *, model: str, strict: bool) -> None:
    """Report a field that the API lacks; values that leave the choice to the provider are fine."""
    if value in ("auto", "none") or name == "cache_prompt":
        return
    if strict or name in _MEASURED:
        raise PrerequisiteError(f"flashlite/{model} cannot do {name}; leave it out.")
    warn_once(log, f"flashlite/{model} does not use {name}: it is not sent.")


def with_beta(headers: Mapping[str, str] | None, beta: str) -> dict[str, str]:
    """Return the headers with one more of Anthropic's betas in them."""
    known = {name.lower(): value for name, value in (headers or {}).items()}
    betas = [*filter(None, known.get(_BETA, "").split(",")), beta]
    return {**known, _BETA: ",".join(dict.fromkeys(betas))}


def _add(options: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add options that a field stands for; options given directly override them."""
    for name, value in more.items():
        known = options.get(name)
        if name == _BETA:
            options["extra_headers"] = with_beta(options["extra_headers"], value)
        elif name == "extra_body":
            options[name] = merged(dict(value), known or {})
        elif known is None:
            options[name] = value


def _response_format(config: GenerateConfig) -> dict[str, Any]:
    wanted = config.response_schema
    assert wanted is not None
    described = {
        "name": wanted.name,
        "schema": wanted.json_schema.model_dump(exclude_none=True),
        "description": wanted.description,
        "strict": wanted.strict,
    }
    given = {name: value for name, value in described.items() if value is not None}
    return {"type": "json_schema", "json_schema": given}


def _nothing(_: Any) -> dict[str, Any]:
    """Add nothing: another part of the provider does it, or the API does it anyway."""
    return {}


def _effort(effort: str) -> dict[str, Any]:
    """Ask for an effort that does not turn on thinking; `reasoning_effort` overrides it."""
    return {"reasoning_effort": effort, "thinking": {}}


def _bedrock_effort(effort: str) -> dict[str, Any]:
    fields = {"output_config": {"effort": effort}}
    return {"extra_body": {"additionalModelRequestFields": fields}}


def _fallbacks(models: list[str]) -> dict[str, Any]:
    return {
        "extra_body": {"fallbacks": [{"model": model} for model in models]},
        _BETA: _FALLBACK_BETA,
    }


def _reasoning(name: str) -> Callable[[str], dict[str, Any]]:
    return lambda value: {"extra_body": {"reasoning": {name: value}}}


def _prompt_logprobs(tokens: int) -> dict[str, Any]:
    """Ask in vLLM's form; only a whole answer has them, not a cached or a streamed one."""
    return {"extra_body": {"prompt_logprobs": tokens}, "cache": "off"}


def _pictures(_: Any) -> dict[str, Any]:
    """Ask for images beside text: Inspect has no other modalities."""
    return {"modalities": ["text", "image"]}


_SPELLED: Mapping[tuple[str, str], Callable[[Any], dict[str, Any]]] = {
    ("anthropic", "cache_prompt"): _nothing,  # see _prompt_cache.py
    ("anthropic", "effort"): _effort,
    ("anthropic", "fallback_models"): _fallbacks,
    ("anthropic", "reasoning_summary"): _nothing,
    ("bedrock", "cache_prompt"): _nothing,
    ("bedrock", "effort"): _bedrock_effort,
    ("openai", "prompt_logprobs"): _prompt_logprobs,
    **{(name, "modalities"): _pictures for name in _GEMINI},
    **{(name, "reasoning_summary"): _nothing for name in _GEMINI},
    **{(name, "modalities"): _nothing for name in _RESPONSES},  # a tool: see _tools.py
    **{(name, "reasoning_summary"): _reasoning("summary") for name in _RESPONSES},
    **{(name, "reasoning_mode"): _reasoning("mode") for name in _RESPONSES},
}
