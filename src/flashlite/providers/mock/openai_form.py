"""A mock model's answers in OpenAI's wire form, whole or as a stream."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PIECE = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+$")
_TOKEN_BYTES = 4


def completion(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answer to a request, one choice for each message."""
    choices = [_choice(message, index, body) for index, message in enumerate(messages)]
    return {
        "id": _id(body),
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": choices,
        "usage": _usage(body, [choice["message"] for choice in choices]),
        "system_fingerprint": "fp_mock",
    }


def chunks(whole: Mapping[str, Any], *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """Split a whole answer into the chunks of a stream."""
    frame = {key: whole[key] for key in ("id", "created", "model", "system_fingerprint")}
    frame["object"] = "chat.completion.chunk"
    for choice in whole["choices"]:
        for delta in _deltas(choice["message"]):
            piece = {"index": choice["index"], "delta": delta, "finish_reason": None}
            yield frame | {"choices": [piece]}
        end = {"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
        yield frame | {"choices": [end]}
    if include_usage:
        yield frame | {"choices": [], "usage": whole["usage"]}


def error(status: int, message: str) -> dict[str, Any]:
    """Return the body of a configured failure."""
    return {"error": {"message": message, "type": "mock_error", "code": f"mock_{status}"}}


def refusal(message: str, *, param: str | None, code: str | None) -> dict[str, Any]:
    """Return the body of the answer to a request that cannot be served."""
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _choice(message: Mapping[str, Any], index: int, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = dict(message)
    finish = answer.pop("finish_reason", None) or (
        "tool_calls" if answer.get("tool_calls") else "stop"
    )
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    content = answer.get("content")
    if limit and isinstance(content, str) and _tokens(content) > limit:
        answer["content"], finish = content[: limit * _TOKEN_BYTES], "length"
    return {"index": index, "message": answer, "finish_reason": finish}


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for field in ("reasoning_content", "content", "refusal"):
        value = message.get(field) or ""
        for piece in _PIECE.findall(value) if isinstance(value, str) else [value]:
            yield {field: piece}
    calls = message.get("tool_calls") or ()
    for index, call in enumerate(calls if isinstance(calls, list | tuple) else [calls]):
        for piece in _call_pieces(call):
            yield {"tool_calls": [{"index": index, **piece}]}


def _call_pieces(call: Any) -> Iterator[dict[str, Any]]:
    """Split a call's arguments into pieces; a script's call of another form is unchanged."""
    function = call.get("function") if isinstance(call, Mapping) else None
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(arguments, str):
        yield dict(call) if isinstance(call, Mapping) else {"function": call}
        return
    yield {"type": "function", **call, "function": {**function, "arguments": ""}}
    for start in range(0, len(arguments), 8):
        yield {"function": {"arguments": arguments[start : start + 8]}}


def _usage(body: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count four bytes of UTF-8 as one token."""
    asked = _json([body.get("messages"), body.get("tools")])
    thought = sum(_tokens(answer.get("reasoning_content") or "") for answer in answers)
    said = sum(_tokens(answer.get("content") or "") for answer in answers)
    said += sum(_tokens(_json(a["tool_calls"])) for a in answers if a.get("tool_calls"))
    return {
        "prompt_tokens": _tokens(asked),
        "completion_tokens": said + thought,
        "total_tokens": _tokens(asked) + said + thought,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _tokens(value: Any) -> int:
    text = value if isinstance(value, str) else _json(value)
    return -(-len(text.encode(errors="replace")) // _TOKEN_BYTES)


def _id(body: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(_json(body).encode(errors="replace")).hexdigest()
    return f"chatcmpl-mock-{digest[:16]}"


def _json(value: Any) -> str:
    """Return anything as JSON: inside the process a body may have values that JSON does not."""
    return json.dumps(value, ensure_ascii=False, skipkeys=True, default=str)
