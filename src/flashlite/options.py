"""The options of clients and calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import getdoc
from textwrap import fill
from typing import Any, Literal, TypedDict

from .tools import Tool
from .types import CacheMode, CompletionParams, Timeout


class DeliveryOptions(TypedDict, total=False):
    """How a call is made and accounted for, whatever it asks.

    `timeout` is seconds in total, or a `Timeout`. `extra_headers` and `extra_body` are sent as they
    are and override what flashlite sends. `cache_collection` keeps stored answers apart; `agent`
    and `tags` name accounts in the cost report; waiting calls with the lowest `priority` go first.
    `on_send` is called with the JSON body right before each send.
    """

    timeout: float | Timeout | None
    api_key: str | None
    base_url: str | None
    extra_headers: Mapping[str, str] | None
    extra_body: Mapping[str, Any] | None
    strict_params: bool
    cache_collection: str
    agent: str | None
    tags: Iterable[str]
    priority: int
    on_send: Callable[[Mapping[str, Any]], None] | None


class ClientOptions(CompletionParams, DeliveryOptions, total=False):
    """Options for every call of a client, which a single call can override.

    `structured_retries` is how often an answer that does not fit a `response_model` is asked for
    again (2 times by default). `fallbacks` are models to ask in turn when one fails for good. `api`
    chooses between OpenAI's Chat Completions ("chat") and its Responses API ("responses") where a
    host has both; by default, Responses is used only for models that Chat Completions lacks.
    """

    api: Literal["chat", "responses"] | None
    tools: Iterable[Tool[..., Any] | Mapping[str, Any]] | None
    structured_retries: int
    fallbacks: Iterable[str]


class CallOptions(ClientOptions, total=False):
    """The options of one call, beside its messages and its model.

    `template` is the name or the text of a template: filled in with `variables`, it becomes the
    last user message. `sample` tells independent draws of one prompt apart. `cache` is "on", "off",
    "refresh" (ask again and store) or "only" (never ask a provider: a miss raises CacheMiss).
    """

    template: str | None
    variables: Mapping[str, Any] | None
    sample: int | None
    cache: CacheMode


class EmbeddingOptions(DeliveryOptions, total=False):
    """The options of one call for embeddings, beside its texts and its model.

    `dimensions` shortens the vectors, if the model supports it. `encoding_format` is how vectors
    are sent: "base64" takes a third of the bytes of "float". There are no fallbacks, because the
    vectors of two models cannot be compared.
    """

    dimensions: int | None
    encoding_format: Literal["float", "base64"] | None
    user: str | None
    cache: CacheMode


def _with_all(options: Any, *parents: Any) -> str:
    """Join docstrings and list all options, because pydoc does not see a TypedDict's parents."""
    said = [getdoc(one) or "" for one in (options, *parents)]
    names = fill(f"All of them: {', '.join(sorted(options.__annotations__))}.", width=96)
    return "\n\n".join([*said, names])


CallOptions.__doc__ = _with_all(CallOptions, ClientOptions, CompletionParams, DeliveryOptions)
ClientOptions.__doc__ = _with_all(ClientOptions, CompletionParams, DeliveryOptions)
EmbeddingOptions.__doc__ = _with_all(EmbeddingOptions, DeliveryOptions)
