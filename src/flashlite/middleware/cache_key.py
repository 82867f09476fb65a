"""What makes two requests the same: everything that decides the answer, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from ..schema import schema_of
from ..types import CompletionRequest, Target, is_secret, json_bytes

VERSION = 1
"""The version of the key; changed when the same JSON no longer means the same answer."""

# Names of fields and headers that identify the caller or trace the call; others may change the
# answer.
_WHO = re.compile(
    "(?<![a-z])(?:auth|authorization|secret|cookie|password|passwd|credentials?|signature"
    "|(?:api|access|secret|private|subscription)[-_]?key"
    "|(?:auth|access|api|bearer|session|security)[-_]?token)$|^(?:key|token)$",
    re.IGNORECASE,
)
_TRACE = re.compile("trace|request-id|baggage|idempotency|user-agent|-key$|-token$", re.I)
_schemas: WeakKeyDictionary[type[Any], Any] = WeakKeyDictionary()


def canonical(request: CompletionRequest, target: Target) -> bytes:
    """Return canonical JSON of what decides the answer."""
    return written(decisive(request, target))


def decisive(request: CompletionRequest, target: Target) -> dict[str, Any]:
    """Return the fields that decide the answer, without secrets, timeouts and tags."""
    found: dict[str, Any] = {
        "version": VERSION,
        "provider": target.provider,
        "dialect": target.dialect,
        "address": target.address,
        "model": target.model,
        "messages": request.messages,
        "params": {name: _number(value) for name, value in request.params.items()},
        "tools": request.tools,
        "extra_body": request.extra_body and _decisive_fields(request.extra_body),
        "headers": _decisive_headers(request.extra_headers),
        "schema": _schema(request.response_model),
        "sample": request.sample,
    }
    if request.api == "embeddings":  # not every dialect distinguishes them from completions
        found["api"] = request.api
    return found


def _decisive_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the decisive fields of a body; a value that may still be secret becomes its digest."""
    return {
        name: f"sha256:{key_of(value.encode(errors='surrogatepass'))}"
        if isinstance(value, str) and is_secret(name)
        else value
        for name, value in body.items()
        if not _WHO.search(name)
    }


def written(decisive: Mapping[str, Any]) -> bytes:
    """Return the decisive fields as canonical JSON."""
    return json_bytes.dumps(decisive, sort_keys=True)


def key_of(decisive: bytes) -> str:
    """Return the key of canonical JSON."""
    return sha256(decisive).hexdigest()


def differences(mine: bytes, stored: bytes) -> list[str]:
    """Return every field in which two requests differ, with both values."""
    return list(_differences(json.loads(mine), json.loads(stored), "")) if mine != stored else []


def _differences(mine: Any, stored: Any, path: str) -> Iterator[str]:
    if mine == stored and type(mine) is type(stored):
        return
    if isinstance(mine, dict) and isinstance(stored, dict):
        for name in sorted(mine.keys() | stored.keys()):
            inner = f"{path}.{name}" if path else name
            yield from _differences(mine.get(name), stored.get(name), inner)
    elif isinstance(mine, list) and isinstance(stored, list) and len(mine) == len(stored):
        for number, (left, right) in enumerate(zip(mine, stored, strict=True)):
            yield from _differences(left, right, f"{path}[{number}]")
    else:
        yield f"{path}: {_short(mine)} here, {_short(stored)} stored"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _number(value: Any) -> Any:
    """Return a whole float as an int, so that 0 and 0.0 are the same temperature."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _decisive_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    if not headers:
        return headers
    return {
        name.lower(): value
        for name, value in headers.items()
        if not (is_secret(name) or _WHO.search(name) or _TRACE.search(name))
    }


def _schema(model: type[Any] | None) -> Any:
    if model is None:
        return None
    try:
        return _schemas[model]
    except KeyError:
        schema = _schemas[model] = schema_of(model)
        return schema
    except TypeError:  # a union, which has no weak reference
        return schema_of(model)
