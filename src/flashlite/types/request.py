"""A request: everything that decides an answer, and how to fetch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from numbers import Real
from typing import Any, Literal, Self, TypeAlias, TypedDict

from ..errors import ConfigError
from .ids import new_id
from .message import Message
from .target import Target


class CompletionParams(TypedDict, total=False):
    """Parameters of a completion under OpenAI's names; one that is not given is not sent."""

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    max_completion_tokens: int
    stop: str | Sequence[str]
    seed: int
    n: int
    frequency_penalty: float
    presence_penalty: float
    logit_bias: Mapping[str, float]
    logprobs: bool
    top_logprobs: int
    tool_choice: str | Mapping[str, Any]
    parallel_tool_calls: bool
    response_format: str | Mapping[str, Any]
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"]
    thinking: Mapping[str, Any]
    modalities: Sequence[str]
    audio: Mapping[str, Any]
    prediction: Mapping[str, Any]
    verbosity: Literal["low", "medium", "high"]
    service_tier: str
    store: bool
    metadata: Mapping[str, str]
    user: str
    safety_identifier: str
    prompt_cache_key: str
    web_search_options: Mapping[str, Any]


def thinking_enabled(budget_tokens: int) -> dict[str, Any]:
    """Return the `thinking` parameter that lets a model think for at most `budget_tokens`."""
    if not isinstance(budget_tokens, int) or budget_tokens < 1:
        raise ConfigError(f"budget_tokens is a whole number of at least 1; got {budget_tokens!r}")
    return {"type": "enabled", "budget_tokens": budget_tokens}


PARAMS = frozenset(CompletionParams.__annotations__)
"""The names of all parameters that `complete()` takes beside its own arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Time limits of a call in seconds; None means no limit.

    `total` covers the whole call with all its attempts and, for a stream, up to its last byte;
    `connect` covers the opening of one connection; `idle` the silence between two reads.
    """

    total: float | None = 600.0
    connect: float | None = 10.0
    idle: float | None = None

    def __post_init__(self) -> None:
        for limit in (self.total, self.connect, self.idle):
            if limit is not None and not (isinstance(limit, Real) and 0 < limit < inf):
                raise ConfigError(
                    f"a timeout is a positive number of seconds or None; got {limit!r}"
                )

    @classmethod
    def of(cls, value: float | Timeout | None) -> Timeout:
        """Return a caller's value as a `Timeout`: a number is the total, None the default."""
        if value is None:
            return _USUAL
        return value if isinstance(value, Timeout) else cls(total=value)


_USUAL = Timeout()

API: TypeAlias = Literal["chat", "responses", "embeddings"]
"""One of the APIs that a host may offer for the same models."""

CacheMode: TypeAlias = Literal["on", "off", "refresh", "only"]
"""Use the cache, bypass it, ask again and store, or answer only from the cache."""


# No slots: layers copy requests often, and copying a `__dict__` is ten times faster.
@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """One request; it is frozen, and a layer that needs another one derives it with `with_()`.

    `model`, `messages`, `tools`, `params`, `extra_body`, `response_model` and `sample` decide the
    answer; `sample` tells independent draws of one prompt apart and is never sent. `api` is the
    host's API to use, None for its default. The other fields say how to fetch the answer and how to
    account for it: `id` names the call in logs, `agent` and `tags` name accounts in reports, and a
    lower `priority` goes first in queues. `target` is who answers, once that is known. `on_send` is
    called with the JSON body right before each send.
    """

    model: str
    messages: tuple[Message, ...]
    api: API | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sample: int | None = None
    stream: bool = False
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout: Timeout = _USUAL
    strict_params: bool = False
    response_model: type[Any] | None = None
    structured_retries: int = 2
    fallbacks: tuple[str, ...] = ()
    fallback_from: tuple[str, ...] = ()
    cache: CacheMode = "on"
    cache_collection: str = ""
    agent: str | None = None
    tags: tuple[str, ...] = ()
    priority: int = 0
    target: Target | None = field(default=None, compare=False)
    id: str = field(default_factory=new_id, compare=False)
    on_send: Callable[[Mapping[str, Any]], None] | None = field(
        default=None, repr=False, compare=False
    )

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some fields replaced."""
        if unknown := changes.keys() - self.__dict__.keys():
            raise TypeError(f"a request has no {', '.join(sorted(unknown))}")
        if not _TARGETING.isdisjoint(changes):
            changes.setdefault("target", None)
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, **changes)
        return copy

    @property
    def has_server_tools(self) -> bool:
        """Whether the provider may run tools of its own, such as a search or code."""
        is_said = not _SERVER_TOOLS.isdisjoint(self.extra_body)
        return is_said or any("function" not in tool for tool in self.tools)


_SERVER_TOOLS = frozenset({"mcp_servers", "plugins", "tools", "web_search_options"})
_TARGETING = frozenset({"model", "api", "base_url", "api_key"})
