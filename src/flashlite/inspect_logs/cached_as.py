"""The cache keys of a logged call, so that its answer can be imported from the log.

A log stores messages once for all calls, and Inspect's format lacks some of what decides an answer
or is in one. The keys prove that a request and an answer rebuilt from a log equal the originals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..middleware.cache_key import decisive, key_of, written
from ..types import CompletionRequest, CompletionResponse, Message, Target


def cached_as(
    request: CompletionRequest, response: CompletionResponse, target: Target
) -> dict[str, Any] | None:
    """Return the keys of a request and of its answer, and what a log has no other place for.

    That is the request without its messages, and the exact text of its tool calls. None for an
    answer that comes from a cache or must not go there, or if the request is not JSON.
    """
    if response.cached or request.cache == "off":
        return None
    try:
        asked = decisive(request, target)
        key, answer = key_of(written(asked)), answer_key(response)
    except (RecursionError, TypeError, ValueError):
        return None
    del asked["messages"]
    calls = [call for c in response.choices for call in c.message.get("tool_calls") or ()]
    more = {"calls": calls, "collection": request.cache_collection}
    told = {name: value for name, value in more.items() if value}
    return {"key": key, "answer": answer, "request": asked, **told}


def answer_key(response: CompletionResponse) -> str:
    """Return a key of an answer; empty and missing fields of a message give the same key."""
    said = [
        [{k: v for k, v in choice.message.items() if v}, choice.finish_reason, choice.logprobs]
        for choice in response.choices
    ]
    return key_of(written({"choices": said}))


def request_of(known: Mapping[str, Any], messages: Sequence[Message]) -> bytes | None:
    """Return the canonical request of an answer, None if it was asked with other messages."""
    request = written({**known["request"], "messages": messages})
    return request if key_of(request) == known["key"] else None
