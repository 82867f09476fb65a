"""Converting a request to litellm's arguments, and what litellm sends to JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ...types import CompletionRequest
from .settings import api_base, api_key

_LONG = 1e6  # seconds, for requests without a timeout; litellm would otherwise use its own limit
_NOT_SENT = frozenset({"api_key", "extra_body", "extra_headers", "extra_query", "timeout"})
_DELIVERY = _NOT_SENT | {"api_base", "drop_params", "max_retries", "num_retries"}
_SECRET = re.compile(r"^(aws|azure|vertex)_|(_key|_token|_secret|password|credentials)$")


def dropped(litellm: Any, request: CompletionRequest) -> set[str]:
    """Return the parameters that litellm would silently leave out."""
    names = {"metadata"}
    if "user" in request.params:
        service = "embeddings" if request.api == "embeddings" else "chat_completion"
        known = litellm.get_supported_openai_params(model=request.model, request_type=service) or ()
        names |= {"user"} - set(known)
    return names


def arguments(request: CompletionRequest) -> dict[str, Any]:
    """Return the arguments for one call, with retries and dropping of parameters turned off."""
    given: dict[str, Any] = {
        # litellm modifies its arguments.
        **deepcopy(dict(request.params)),
        **_asked(request),
        "model": request.model,
        "num_retries": 0,
        "max_retries": 0,
        "drop_params": False,
        "api_key": api_key(request),
        "api_base": api_base(request),
        "extra_headers": dict(request.extra_headers) or None,
        "extra_body": deepcopy(dict(request.extra_body)) or None,
        # litellm builds one client per distinct timeout, so it gets whole seconds.
        "timeout": math.ceil(request.timeout.total or _LONG),
    }
    if request.stream:
        given |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in given.items() if value is not None}


def _asked(request: CompletionRequest) -> dict[str, Any]:
    if request.api == "embeddings":
        return {"input": [message.text for message in request.messages]}
    return {
        "messages": [deepcopy(message.to_dict()) for message in request.messages],
        "tools": [deepcopy(dict(tool)) for tool in request.tools] or None,
    }


def wire_body(given: Any) -> dict[str, Any] | None:
    """Return a copy of the JSON that litellm is about to send, or None if it is not shown."""
    try:
        body = json.loads(given) if isinstance(given, str | bytes) else given
        if not isinstance(body, Mapping) or not body:
            return None
        # If litellm sends through OpenAI's library, that merges extra_body and removes the others.
        extra = body.get("extra_body") or {}
        content = {name: value for name, value in body.items() if name not in _NOT_SENT}
        sent: dict[str, Any] = json.loads(json.dumps({**content, **extra}, default=str))
    except (TypeError, ValueError):
        return None
    return sent


def as_passed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments given to litellm, for when it does not show what it sends."""
    content = {
        name: value
        for name, value in given.items()
        if name not in _DELIVERY and not _SECRET.search(name)
    }
    return {**content, **given.get("extra_body", {})}
