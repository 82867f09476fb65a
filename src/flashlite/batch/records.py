"""Answers and failures as lines of a checkpoint, and how an answer is read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import CompletionError
from ..schema import validate
from ..types import CompletionResponse, Usage

VERSION = 1  # of the checkpoint format

_UNTOLD = CompletionResponse()
_PROVENANCE = ("cached", "lineage", "fallback_from", "attempts", "lost", "latency", "duration")
_ERROR_FACTS = ("status_code", "code", "request_id", "attempts", "retryable", "may_be_billed")


def encode(line: Mapping[str, Any]) -> bytes:
    """Return a line as JSON; raises TypeError, ValueError or RecursionError if it is not JSON."""
    try:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError:  # half an emoji
        return json.dumps(line, separators=(",", ":")).encode()


def answer_record(answer: Any) -> dict[str, Any]:
    """Return what is stored of an answer: a `response`, or the `result` of a user's function."""
    if not isinstance(answer, CompletionResponse):
        return {"result": answer}
    if answer.is_open:
        raise TypeError("it is a stream that nobody has read")
    facts = {name: getattr(answer, name) for name in _PROVENANCE}
    told = {name: fact for name, fact in facts.items() if fact != getattr(_UNTOLD, name)}
    return {"response": answer.to_dict() | told}


def read_answer(record: Mapping[str, Any], response_model: type[Any] | None = None) -> Any:
    """Return a stored answer; raises ValueError, or a similar error, if it cannot be read."""
    if "result" in record:
        return record["result"]
    kept = record["response"]
    answer = CompletionResponse.from_dict(kept)
    for name in _PROVENANCE:
        if name in kept:
            setattr(answer, name, kept[name])
    answer.fallback_from = tuple(answer.fallback_from)
    if response_model is not None:
        answer.parsed = validate(response_model, answer.content)
    return answer


def failure_record(failure: Any) -> dict[str, Any]:
    """Return what is stored of an exception, or of a result with an error."""
    if isinstance(failure, CompletionResponse):
        return {"error": {"type": "CompletionResponse", "message": failure.error}}
    if not isinstance(failure, Exception):
        return {"result": failure}
    error = {"type": type(failure).__name__, "message": str(failure)}
    if not isinstance(failure, CompletionError):
        return {"error": error}
    facts = {name: getattr(failure, name) for name in _ERROR_FACTS}
    used = {"usage": failure.usage.to_dict()} if isinstance(failure.usage, Usage) else {}
    return {
        "error": error | {name: fact for name, fact in facts.items() if fact is not None} | used
    }


def is_failure(result: Any) -> bool:
    """Whether a function returned a failure instead of raising it."""
    if isinstance(result, CompletionResponse):
        return not (result.ok or result.is_open)
    return isinstance(result, Mapping) and bool(result.get("error"))
