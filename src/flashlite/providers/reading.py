"""Reading what servers send: JSON that is almost valid, and fields of unexpected types.

All dialects use these functions. A reader of one field returns it in the type that an answer needs,
or raises TypeError; a dialect catches NOT_AN_ANSWER and raises `not_an_answer(...)`.
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
    """Return the error for JSON that could not be parsed; `what` names what was expected."""
    return MalformedResponseError(f"status 200, but not {what}: {error!r:.200}", body=body)


def not_an_event(error: Exception, body: Any) -> StreamInterruptedError:
    """Return the error for a stream event that could not be parsed."""
    return StreamInterruptedError(
        f"the stream broke off: not an event of an answer: {error!r:.200}", body=body
    )


def load(body: bytes) -> Mapping[str, Any]:
    """Parse the JSON object of an answer; raise MalformedResponseError for anything else."""
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
    """Parse the JSON object of one event; raise StreamInterruptedError for anything else."""
    try:
        return load(data)
    except MalformedResponseError as error:
        raise StreamInterruptedError(f"the stream broke off: {error.reason}") from error


def is_json(headers: Mapping[str, str]) -> bool:
    """Return whether an answer is one JSON text, which some servers send instead of a stream."""
    return headers.get("content-type", "").startswith("application/json")


def from_json(body: bytes) -> Any:
    """Parse JSON, including the invalid JSON that some servers send.

    A model may cut an emoji in half, and a log probability may be -Infinity; such an answer was
    paid for. Half an emoji becomes "?", because no text encoding can represent it.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        loose = json.loads(body)
        return json.loads(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
    """Parse an error response whose body is JSON in one of the usual forms, or text."""
    try:
        parsed = from_json(body)
    except (ValueError, RecursionError):
        said = body.decode("utf-8", "replace").strip()
        return refusal(status, said[:500], headers=headers, body=said)
    message, code = error_words(parsed)
    return refusal(status, message, code=code, headers=headers, body=parsed)


def error_words(body: Any) -> tuple[str, str | None]:
    """Return the message and the error code of an error body in the usual forms."""
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
    except TypeError:  # nested too deeply, or a number beyond 64 bits
        return "an error in no usual form"


def text_in(value: Any) -> str:
    """Return text, or "" for null; raise TypeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is not text")
    return value


def name_in(value: Any) -> str | None:
    """Return a name, or None if it is not text, because no answer is refused for its name."""
    return value if isinstance(value, str) else None


def mapping_in(value: Any) -> Mapping[str, Any]:
    """Return a mapping of additional data, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def count_in(value: Any) -> int:
    """Return a number of tokens, or 0 for null; raise TypeError for anything else."""
    if value is None:
        return 0
    if not isinstance(value, (int, float)):
        raise TypeError(f"{value!r:.80} is not a number of tokens")
    return int(value)


def plausible(read: Callable[[Any], Usage | None]) -> Callable[[Any], Usage | None]:
    """Make a usage parser return None for implausible usage, as for missing usage.

    No answer is refused for its usage, and none counts as free: servers that do not count send 0.
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


_TOO_MANY = 2**53  # tokens; JSON parsers disagree on larger numbers


def arguments_in(value: Any) -> str:
    """Return a call's arguments as text; some servers send the object itself."""
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return text_in(value)


def call_in(call: Mapping[str, Any], position: int) -> ToolCall:
    """Return a call in OpenAI's form; one without an id gets one from its position."""
    function = call["function"]
    return ToolCall(
        text_in(call.get("id")) or f"call_{position}",
        text_in(function["name"]),
        arguments_in(function.get("arguments")),
    )


def index_in(item: Mapping[str, Any], position: int) -> int:
    """Return the index that an item gives, else its position."""
    index = item.get("index")
    return index if isinstance(index, int) else position


def require_all(request: CompletionRequest, response: CompletionResponse) -> None:
    """Raise an error unless an answer has one vector for each text of its request."""
    if len(response.choices) != len(request.messages):
        asked, came = len(request.messages), len(response.choices)
        raise MalformedResponseError(
            f"status 200, but {came} embeddings for {asked} texts", body=response.raw
        )
