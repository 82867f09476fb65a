"""Every field of Inspect's GenerateConfig: sent, obeyed by Inspect itself, reported or refused.

Source: `inspect_ai/model/_generate_config.py` and the native providers; a field that a new release
adds fails `tests/inspect_ai/test_config.py` until it is put into one of these groups.
"""

from __future__ import annotations

import logging
from typing import Any

from inspect_ai.model import GenerateConfig
from inspect_ai.util import warn_once

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
"""Inspect's name of a parameter, and ours."""

TRANSLATED = {"reasoning_tokens", "response_schema", "extra_headers", "extra_body"}
"""Sent too, in another form."""

OBEYED_BY_INSPECT = {
    "max_retries",
    "timeout",
    "attempt_timeout",
    "max_connections",
    "adaptive_connections",
    "system_message",
    "max_tool_output",
    "fail_on_refusal",
    "reasoning_history",
    "cache",
    "internal_tools",
}
"""Done around the provider, without its help; `internal_tools` only switches extras of others."""

REPORTED = {
    "stream_idle_timeout",
    "cache_prompt",
    "fallback_models",
    "effort",
    "reasoning_mode",
    "reasoning_summary",
}
"""Cannot be honoured and do no harm: reported once."""

REFUSED = {"batch", "best_of", "modalities", "prompt_logprobs"}
"""An eval that counts on these would measure something else: refused."""


def to_options(config: GenerateConfig, *, model: str, has_tools: bool) -> dict[str, Any]:
    """Return the call options that a config means; raises PrerequisiteError for the refused."""
    given = {
        name: value
        for name in _KNOWN
        if (value := getattr(config, name, None)) not in (None, False, [])
    }
    if refused := sorted(given.keys() & REFUSED):
        raise PrerequisiteError(f"flashlite/{model} cannot do {', '.join(refused)}: leave it out.")
    for name in sorted(given.keys() & REPORTED):
        if given[name] not in ("auto", "none"):
            warn_once(log, f"flashlite/{model} does not use {name}: it is not sent.")
    options = {ours: getattr(config, theirs) for theirs, ours in SENT.items()}
    if not has_tools:
        del options["parallel_tool_calls"]
    if config.logit_bias is not None:
        options["logit_bias"] = {str(token): bias for token, bias in config.logit_bias.items()}
    if config.reasoning_tokens is not None:
        options["thinking"] = {"type": "enabled", "budget_tokens": config.reasoning_tokens}
    if config.response_schema is not None:
        options["response_format"] = _response_format(config)
    options["extra_headers"] = config.extra_headers
    options["extra_body"] = config.extra_body
    return {name: value for name, value in options.items() if value is not None}


_KNOWN = {*SENT, *TRANSLATED, *REPORTED, *REFUSED}


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
