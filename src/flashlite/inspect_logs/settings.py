"""Parameters, from our form to Inspect's, as JSON (`inspect_ai/model/_generate_config.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .plain import plain

_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})


def to_settings(params: Mapping[str, Any], extra_body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's parameters in Inspect's form; those it lacks are in `extra_body`."""
    settings: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in params.items():
        theirs, read = _NAMES.get(name, (name, _nothing))
        if name not in _ELSEWHERE:
            spelled = read(value)
            if spelled is None:
                rest[name] = plain(value)
            else:
                settings[theirs] = spelled
    if rest or extra_body:
        settings["extra_body"] = rest | plain(extra_body)
    return settings


_ELSEWHERE = frozenset({"tool_choice"})


def _nothing(value: Any) -> None:
    """Return None: Inspect has no such setting."""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: Any) -> list[str] | None:
    texts = [value] if isinstance(value, str) else value
    fits = isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)
    return list(texts) if fits else None


def _effort(value: Any) -> str | None:
    return str(value) if isinstance(value, str) and value in _EFFORTS else None


def _verbosity(value: Any) -> str | None:
    return value if value in ("low", "medium", "high") else None


def _bias(value: Any) -> dict[str, float] | None:
    with suppress(AttributeError, TypeError, ValueError):
        return {str(int(token)): float(bias) for token, bias in value.items()}
    return None


_NAMES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "temperature": ("temperature", _number),
    "top_p": ("top_p", _number),
    "top_k": ("top_k", _whole),
    "max_tokens": ("max_tokens", _whole),
    "max_completion_tokens": ("max_tokens", _whole),
    "stop": ("stop_seqs", _texts),
    "seed": ("seed", _whole),
    "n": ("num_choices", _whole),
    "frequency_penalty": ("frequency_penalty", _number),
    "presence_penalty": ("presence_penalty", _number),
    "logit_bias": ("logit_bias", _bias),
    "logprobs": ("logprobs", _flag),
    "top_logprobs": ("top_logprobs", _whole),
    "parallel_tool_calls": ("parallel_tool_calls", _flag),
    "reasoning_effort": ("reasoning_effort", _effort),
    "verbosity": ("verbosity", _verbosity),
}
