"""The `-M name=value` arguments of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import inf
from typing import Any

from ..errors import ConfigError
from ..types import PARAMS, Timeout

REQUEST_TIMEOUT = 1800.0
"""Default timeout of one request in seconds, so that a server that hangs does not stop an eval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a model, from its `-M` arguments.

    `rpm` and `tpm` are requests and tokens per minute, `budget` US dollars; they hold for all
    models of one `pool`: a name in this process, or the address of a place that processes share
    (`redis://host:port/number#name`, `sqlite:<file>`, `env:<variable with an address>`). `cache`
    names a store: `memory`, `disk:<file>` or `fs:<folder>`; with `cache_only` nothing is sent, and
    a call fails if the store has no answer. `params` are parameters of each request, under
    OpenAI's names; the eval's own config overrides them.
    """

    request_timeout: float = REQUEST_TIMEOUT
    strict_params: bool = False
    stream: bool | None = None
    responses_api: bool | None = None
    native: bool = True
    pool: str | None = None
    rpm: float | None = None
    tpm: float | None = None
    auto_limits: bool = False
    budget: float | None = None
    budget_file: str | None = None
    cache: str | None = None
    cache_only: bool = False
    fallbacks: tuple[str, ...] = ()
    structured_retries: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_settings(arguments: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """Return the settings and all other arguments; raises ConfigError for wrong values."""
    given = {name: read(name, arguments[name]) for name, read in _READ.items() if name in arguments}
    if given.get("cache_only") and not given.get("cache"):
        raise ConfigError("-M cache_only answers from a cache: say -M cache=... too")
    given["params"] = {name: arguments[name] for name in _PARAMS if name in arguments}
    known = _READ.keys() | _PARAMS
    return Settings(**given), {n: value for n, value in arguments.items() if n not in known}


def refuse_unknown(arguments: Mapping[str, Any], *, model: str) -> None:
    """Raise ConfigError for unknown arguments, with a suggestion."""
    for name in arguments:
        near = get_close_matches(name, NAMES | _PARAMS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(NAMES))}."
        raise ConfigError(f"unknown -M argument {name} for flashlite/{model}: {hint}")


def _wrong(name: str, value: Any, what: str) -> ConfigError:
    return ConfigError(f"-M {name}={value}: {what}")


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _perhaps(name: str, value: Any) -> bool | None:
    return None if value in (None, "auto") else _flag(name, value)


def _seconds(name: str, value: Any) -> float:
    try:
        return Timeout(total=value).total or REQUEST_TIMEOUT
    except ConfigError as error:
        raise _wrong(name, value, str(error)) from error


def _number(name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < inf:
        raise _wrong(name, value, "a number from 0 up")
    return float(value)


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(name, value, "a whole number from 0 up")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise _wrong(name, value, "a text")
    return str(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """Read a list, or its command-line form, a text with commas."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not all(isinstance(v, str) and v for v in listed):
        raise _wrong(name, value, "names of models, with commas between them")
    return tuple(text.strip() for text in listed)


_READ: Mapping[str, Callable[[str, Any], Any]] = {
    "request_timeout": _seconds,
    "strict_params": _flag,
    "stream": _perhaps,
    "responses_api": _perhaps,
    "native": _flag,
    "pool": _text,
    "rpm": _number,
    "tpm": _number,
    "auto_limits": _flag,
    "budget": _number,
    "budget_file": _text,
    "cache": _text,
    "cache_only": _flag,
    "fallbacks": _texts,
    "structured_retries": _count,
}
NAMES = frozenset(_READ)
# `seed` is the eval's own, and an option of mocks; a tool choice or a schema belongs to one call.
_PARAMS = PARAMS - {"response_format", "seed", "tool_choice"}
