"""What a client and a call may be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .types import CacheMode, CompletionParams, Timeout


class ClientOptions(CompletionParams, total=False):
    """What holds for every call of a client, and may be said for one call too.

    `timeout` is seconds in total, or a `Timeout`. `extra_headers` and `extra_body` are sent as they
    are, over what flashlite says. `structured_retries` is how often an answer that does not fit a
    `response_model` is asked for again. `fallbacks` are models to ask in turn when one fails for
    good. `cache_collection` keeps stored answers apart; `agent` and `tags` name accounts in the
    cost report; the lowest `priority` goes first where calls wait. `on_send` is called with the
    JSON body right before each send.
    """

    tools: Iterable[Mapping[str, Any]] | None
    structured_retries: int
    timeout: float | Timeout | None
    api_key: str | None
    base_url: str | None
    extra_headers: Mapping[str, str] | None
    extra_body: Mapping[str, Any] | None
    strict_params: bool
    fallbacks: Iterable[str]
    cache_collection: str
    agent: str | None
    tags: Iterable[str]
    priority: int
    on_send: Callable[[Mapping[str, Any]], None] | None


class CallOptions(ClientOptions, total=False):
    """What one call takes beside its messages and its model.

    `sample` tells independent draws of one prompt apart. `cache` is "on", "off", "refresh" (ask
    anew and store) or "only" (never ask anybody: a miss raises CacheMiss).
    """

    sample: int | None
    cache: CacheMode
