"""What a client and a call may be told."""

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
    are, over what flashlite says. `cache_collection` keeps stored answers apart; `agent` and `tags`
    name accounts in the cost report; the lowest `priority` goes first where calls wait. `on_send`
    is called with the JSON body right before each send.
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
    """What holds for every call of a client, and may be said for one call too.

    `structured_retries` is how often an answer that does not fit a `response_model` is asked for
    again (2 times, unless said). `fallbacks` are models to ask in turn when one fails for good.
    `api` chooses between OpenAI's Chat Completions and its Responses API where a host has both;
    without it, a model is asked by the first unless only the second serves it.
    """

    api: Literal["chat", "responses"] | None
    tools: Iterable[Tool[..., Any] | Mapping[str, Any]] | None
    structured_retries: int
    fallbacks: Iterable[str]


class CallOptions(ClientOptions, total=False):
    """What one call takes beside its messages and its model.

    `template` is the name or the text of a template: filled in with `variables`, it becomes the
    last user message. `sample` tells independent draws of one prompt apart. `cache` is "on", "off",
    "refresh" (ask anew and store) or "only" (never ask anybody: a miss raises CacheMiss).
    """

    template: str | None
    variables: Mapping[str, Any] | None
    sample: int | None
    cache: CacheMode


class EmbeddingOptions(DeliveryOptions, total=False):
    """What one call for embeddings takes beside its texts and its model.

    `dimensions` shortens the vectors, where the model can. `encoding_format` is how they travel:
    "base64" takes a third of the bytes of "float". There are no fallbacks: vectors of two models
    cannot be compared.
    """

    dimensions: int | None
    encoding_format: Literal["float", "base64"] | None
    user: str | None
    cache: CacheMode


def _with_all(options: Any, *parents: Any) -> str:
    """Join docstrings, and name all options: pydoc takes a TypedDict for one without parents."""
    said = [getdoc(one) or "" for one in (options, *parents)]
    names = fill(f"All of them: {', '.join(sorted(options.__annotations__))}.", width=96)
    return "\n\n".join([*said, names])


CallOptions.__doc__ = _with_all(CallOptions, ClientOptions, CompletionParams, DeliveryOptions)
ClientOptions.__doc__ = _with_all(ClientOptions, CompletionParams, DeliveryOptions)
EmbeddingOptions.__doc__ = _with_all(EmbeddingOptions, DeliveryOptions)
