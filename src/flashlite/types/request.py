"""A request: everything that decides an answer, and how it is to be fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from numbers import Real
from typing import Any, Literal, Self, TypedDict

from ..errors import ConfigError
from .message import Message


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


PARAMS = frozenset(CompletionParams.__annotations__)
"""The names of all parameters that `complete()` takes beside its own arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Seconds to wait; None waits for ever.

    `total` covers the whole call with all its attempts and, for a stream, its last byte; `connect`
    the opening of one connection; `idle` the silence between two reads.
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
    def of(cls, value: float | Timeout) -> Timeout:
        """Read what a caller passed: a `Timeout`, or seconds in total."""
        return value if isinstance(value, Timeout) else cls(total=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One request, frozen: a layer that wants another one derives it with `with_()`.

    `model`, `messages`, `tools`, `params`, `extra_body` and `sample` decide the answer; `sample`
    tells independent draws of one prompt apart and is never sent. The rest says how to fetch it.
    `on_send` is called with the JSON body right before each send.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sample: int | None = None
    stream: bool = False
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout: Timeout = field(default_factory=Timeout)
    strict_params: bool = False
    on_send: Callable[[Mapping[str, Any]], None] | None = field(
        default=None, repr=False, compare=False
    )

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some fields replaced."""
        return replace(self, **changes)
