"""Parameters that decide how much a model thinks.

Sources: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking, .../effort and
.../extended-thinking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ...models import ModelProfile

LEAST_OUTPUT = 4096  # output tokens that every Claude allows; the API requires a limit
_LEAST_BUDGET = 1024  # tokens
# The share of the answer that may be thinking, as OpenRouter reads an effort for these models
# (https://openrouter.ai/docs/use-cases/reasoning-tokens). Anthropic's reference gives no such list.
_SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95, "max": 0.95}
_EFFORTS = {"minimal": "low"}  # the lowest effort of Claude
_SAMPLING = frozenset({"temperature", "top_k", "top_p"})
_LEAST_TOP_P = 0.95  # while thinking


def max_tokens(params: Mapping[str, Any], profile: ModelProfile | None) -> int:
    """Return the limit of the answer including thinking: as given, else the model's maximum."""
    asked = params.get("max_completion_tokens", params.get("max_tokens"))
    if asked is not None:
        return int(asked)
    if profile is not None and profile.max_output_tokens:
        return profile.max_output_tokens
    budget = (given_thinking(params) or {}).get("budget_tokens")
    return LEAST_OUTPUT + budget if isinstance(budget, int) else LEAST_OUTPUT


def thinking_of(
    params: Mapping[str, Any], profile: ModelProfile | None, limit: int
) -> tuple[Mapping[str, Any] | None, str | None]:
    """Return `thinking` and the effort for `output_config`, each None if not to be sent.

    `thinking` is sent as given. `reasoning_effort` alone selects adaptive thinking, or a token
    budget if the model is known not to support that.
    """
    given, effort = given_thinking(params), params.get("reasoning_effort")
    if effort in (None, "none"):
        return (given if effort is None or given else {"type": "disabled"}), None
    if given is not None:
        return given, _EFFORTS.get(effort, effort)
    if _is_adaptive(profile):
        # Newer models omit the text of their thinking unless it is requested.
        return {"type": "adaptive", "display": "summarized"}, _EFFORTS.get(effort, effort)
    return {"type": "enabled", "budget_tokens": _budget(effort, limit)}, None


def unfit(params: Mapping[str, Any], profile: ModelProfile | None) -> frozenset[str]:
    """Return the parameters that this model does not take, or not while it thinks."""
    if profile is not None and profile.supports("sampling_params") is False:
        return _SAMPLING
    if not _thinks(params):
        return frozenset()
    fits = {
        "temperature": params.get("temperature") == 1,
        "top_p": params.get("top_p", 0) >= _LEAST_TOP_P,
    }
    return frozenset(name for name in _SAMPLING if not fits.get(name))


def given_thinking(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the given `thinking`; raise ConfigError if it is not an object."""
    given: Any = params.get("thinking")
    if not isinstance(given, Mapping | None):
        raise ConfigError(
            f'thinking is {{"type": "enabled", "budget_tokens": ...}}; got {given!r:.80}'
        )
    return given


def _thinks(params: Mapping[str, Any]) -> bool:
    if (given := given_thinking(params)) is not None:
        return bool(given.get("type") != "disabled")
    return bool(params.get("reasoning_effort", "none") != "none")


def _is_adaptive(profile: ModelProfile | None) -> bool:
    """Return whether a model takes an effort instead of a budget; all after Opus 4.5 do."""
    if profile is None:
        return True
    told = profile.supports("adaptive_thinking")
    return not profile.supports("reasoning") if told is None else told


def _budget(effort: str, limit: int) -> int:
    if effort not in _SHARES:
        raise ConfigError(f"reasoning_effort is one of {', '.join(_SHARES)}; got {effort!r:.80}")
    if limit <= _LEAST_BUDGET:
        raise ConfigError(
            f"this model thinks with {_LEAST_BUDGET} tokens or more, and they count towards "
            f"max_tokens: raise max_tokens above {_LEAST_BUDGET}, or leave reasoning_effort out"
        )
    return max(_LEAST_BUDGET, int(limit * _SHARES[effort]))
