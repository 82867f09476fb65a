"""Reading what servers send: JSON that is almost JSON, and fields that are almost what they should.

Every dialect reads with these. A reader of one field returns it in the kind that an answer needs,
or raises TypeError; a dialect turns NOT_AN_ANSWER into the error of `not_an_answer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import orjson

from ..errors import CompletionError, MalformedResponseError, StreamInterruptedError
from ..types import CompletionRequest, CompletionResponse, ToolCall, Usage
from .refusals import refusal

NOT_AN_ANSWER = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


def not_an_answer(error: Exception, body: Any, what: str = "an answer") -> MalformedResponseError:
    """Return the error for JSON that could not be read; `what` is what it should have been."""
    return MalformedResponseError(f"status 200, but not {what}: {error!r:.200}", body=body)


def not_an_event(error: Exception, body: Any) -> StreamInterruptedError:
    """Return the error for an event of a stream that could not be read."""
    return StreamInterruptedError(
        f"the stream broke off: not an event of an answer: {error!r:.200}", body=body
    )


def load(body: bytes) -> Mapping[str, Any]:
    """Read the JSON object of an answer; raises MalformedResponseError for anything else."""
    try:
        data = from_json(body)
    except (ValueError, RecursionError) as error:
        text = body.decode("utf-8", "replace").strip()
        what = f"not JSON: {text[:200]!r}" if text else "empty"
        raise MalformedResponseError(f"status 200, but the body is {what}", body=text) from error
    if not isinstance(data, dict):
        raise MalformedResponseError("status 200, but the body is not a JSON object", body=data)
    return data


def load_event(data: bytes) -> Mapping[str, Any]:
    """Read the JSON object of one event; raises StreamInterruptedError for anything else."""
    try:
        return load(data)
    except MalformedResponseError as error:
        raise StreamInterruptedError(f"the stream broke off: {error.reason}") from error


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether an answer comes in one piece, as some servers send it when asked for a stream."""
    return headers.get("content-type", "").startswith("application/json")


def from_json(body: bytes) -> Any:
    """Read JSON, and what servers take for it.

    A model may cut an emoji in half and a log probability may be -Infinity; such an answer was
    paid for. Half an emoji becomes "?", since nothing could write it down.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        loose = json.loads(body)
        return json.loads(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
    """Read a refusal whose body is JSON in one of the usual shapes, or text."""
    try:
        parsed = from_json(body)
    except (ValueError, RecursionError):
        said = body.decode("utf-8", "replace").strip()
        return refusal(status, said[:500], headers=headers, body=said)
    message, code = error_words(parsed)
    return refusal(status, message, code=code, headers=headers, body=parsed)


def error_words(body: Any) -> tuple[str, str | None]:
    """Find the message and the slug in the shapes that servers use."""
    inner = (body.get("error") or body) if isinstance(body, Mapping) else body
    if not isinstance(inner, Mapping):
        return str(inner)[:500], None
    message = inner.get("message") or inner.get("detail") or inner
    if not isinstance(message, str):
        message = _written(message)
    slugs = (slug for slug in (inner.get("code"), inner.get("type")) if isinstance(slug, str))
    return message[:2000], next((slug for slug in slugs if not slug.isdecimal()), None)


def _written(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # nested too deep, or a number of more than 64 bits
        return "an error in no usual form"


def text_in(value: Any) -> str:
    """Return text, empty for null; raises TypeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is not text")
    return value


def name_in(value: Any) -> str | None:
    """Return what an answer calls itself; no answer is refused for a name that is not text."""
    return value if isinstance(value, str) else None


def mapping_in(value: Any) -> Mapping[str, Any]:
    """Return what a server tells beside its answer; for what is no mapping, an empty one."""
    return value if isinstance(value, Mapping) else {}


def count_in(value: Any) -> int:
    """Return a number of tokens, 0 for null; raises TypeError for anything else."""
    if value is None:
        return 0
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r:.80} is not a number of tokens")
    return int(value)


def plausible(read: Callable[[Any], Usage | None]) -> Callable[[Any], Usage | None]:
    """Have a reader of usage return None for what cannot be, as where nothing is told.

    No answer is refused for its usage, and none is free: servers that do not count say 0.
    """

    @wraps(read)
    def guarded(told: Any) -> Usage | None:
        try:
            usage = read(told)
        except NOT_AN_ANSWER:
            return None
        return usage if usage is not None and _can_be(usage) else None

    return guarded


def _can_be(usage: Usage) -> bool:
    counts = (
        *(usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.reasoning_tokens),
        *(usage.input_tokens_cached, usage.input_tokens_cache_write),
    )
    return min(counts) >= 0 and max(counts) < _TOO_MANY and bool(max(counts) or usage.total_cost)


_TOO_MANY = 2**53  # tokens; beyond it, JSON's readers do not agree on a number


def arguments_in(value: Any) -> str:
    """Return a call's arguments as text; some servers give the object itself."""
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return text_in(value)


def call_in(call: Mapping[str, Any], position: int) -> ToolCall:
    """Return a call in OpenAI's form; one without an id is given one by its position."""
    function = call["function"]
    return ToolCall(
        text_in(call.get("id")) or f"call_{position}",
        text_in(function["name"]),
        arguments_in(function.get("arguments")),
    )


def index_in(item: Mapping[str, Any], position: int) -> int:
    """Return the index that an item says it has, else its position."""
    index = item.get("index")
    return index if isinstance(index, int) else position


def require_all(request: CompletionRequest, response: CompletionResponse) -> None:
    """Refuse an answer that has not one vector for each text of its request."""
    if len(response.choices) != len(request.messages):
        asked, came = len(request.messages), len(response.choices)
        raise MalformedResponseError(
            f"status 200, but {came} embeddings for {asked} texts", body=response.raw
        )
