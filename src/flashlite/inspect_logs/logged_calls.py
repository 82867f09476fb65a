"""Reading calls from the records of `StructuredLogger` (`middleware/records.py`)."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from ..errors import FlashliteError
from ..types import Choice, CompletionRequest, CompletionResponse, Message, Target, Usage
from .model_events import ModelCall

NOT_RECORDED = "<not recorded>"

Record = Mapping[str, Any]

_ANSWERED = ("content", "reasoning", "refusal")
_TARGET = [field.name for field in fields(Target)]
_TOLD = ("response_model", "stream", "tags", "status_code", "code", "retryable", "retry_after")
_NO_END = "the record has no end of this call: its process was killed, or it still runs"


def seconds(record: Record) -> float:
    """Return when a record was written, in Unix seconds."""
    return datetime.fromisoformat(record["time"]).timestamp()


def has_content(record: Record) -> bool:
    """Whether a record shows what was answered."""
    return any(record.get(name) for name in _ANSWERED) or any(
        isinstance(call, Mapping) for call in record.get("tool_calls") or ()
    )


def to_call(begun: Record, ended: Record | None, *, shows_answers: bool) -> ModelCall:
    """Return a call from the records of its beginning and of its end, None if it has no end.

    If the log `shows_answers`, an answer without content is empty; else it was not recorded.
    """
    if ended is None:
        error: BaseException | None = RuntimeError(_NO_END)
        response, last = None, seconds(begun)
    else:
        error = _error(ended)
        response, last = _response(ended, shows_answers=shows_answers), seconds(ended)
    return ModelCall(
        request=_request(begun), response=response, error=error, began=seconds(begun), ended=last
    )


def about(begun: Record, ended: Record | None, call: ModelCall) -> dict[str, Any]:
    """Return facts in the records beside the call itself, and what they left out."""
    both = {**begun, **(ended or {})}
    told = {name: both[name] for name in _TOLD if name in both}
    answers = call.response.choices if call.response is not None else ()
    left_out = [] if "messages" in begun else ["messages"]
    if any(choice.message.get("content") == NOT_RECORDED for choice in answers):
        left_out.append("answer")
    return told | ({"not_recorded": left_out} if left_out else {})


def _request(begun: Record) -> CompletionRequest:
    messages = begun.get("messages") or [{"role": "user", "content": NOT_RECORDED}]
    target = begun.get("target")
    return CompletionRequest(
        id=str(begun.get("request_id")),
        model=str(begun.get("model") or ""),
        messages=tuple(
            Message(m) if isinstance(m, Mapping) else Message.user(str(m)) for m in messages
        ),
        tools=tuple({"type": "function", "function": {"name": n}} for n in begun.get("tools", ())),
        params=begun.get("params", {}),
        extra_body=begun.get("extra_body", {}),
        sample=begun.get("sample"),
        stream=begun.get("stream", False),
        agent=begun.get("agent"),
        tags=tuple(begun.get("tags", ())),
        target=target and Target(**{n: target.get(n, "") for n in _TARGET[:5]}),
    )


def _response(ended: Record, *, shows_answers: bool) -> CompletionResponse | None:
    is_answer = ended["type"] == "response" or "finish_reason" in ended or has_content(ended)
    if not is_answer:
        return None
    used = ("usage", "wasted")
    usages: dict[str, Any] = {n: Usage.from_dict(ended[n]) for n in used if n in ended}
    choices = [ended, *ended.get("others", ())]
    return CompletionResponse(
        choices=tuple(_choice(c, place, shows_answers) for place, c in enumerate(choices)),
        model=str(ended.get("model_served") or ""),
        provider=ended.get("provider"),
        request_id=ended.get("provider_request_id"),
        cached=ended.get("cached", False),
        attempts=ended.get("attempts", 1),
        fallback_from=tuple(ended.get("fallback_from", ())),
        latency=ended.get("latency_ms", 0.0) / 1000,
        facts=ended.get("facts", {}),
        lineage=ended.get("lineage"),
        **usages,
    )


def _choice(told: Record, place: int, shows_answers: bool) -> Choice:
    """Return an answer; a tool call of which only the name was recorded has no arguments."""
    calls = [
        call if isinstance(call, Mapping) else {"id": "", "function": {"name": str(call)}}
        for call in told.get("tool_calls") or ()
    ]
    are_named = any(isinstance(call, str) for call in told.get("tool_calls") or ())
    is_left_out = are_named or not (shows_answers or has_content(told))
    extra = {"reasoning_content": told.get("reasoning"), "refusal": told.get("refusal")}
    message = Message.assistant(
        NOT_RECORDED if is_left_out else told.get("content"), tool_calls=calls, **extra
    )
    return Choice(message=message, finish_reason=told.get("finish_reason"), index=place)


def _error(ended: Record) -> BaseException | None:
    """Return an error of the recorded name; its traceback was not recorded."""
    if ended["type"] == "cancelled":
        return CancelledError()
    if ended["type"] != "error":
        return None
    facts = {"__module__": "builtins", "attempts": ended.get("attempts", 1)}
    kind: type[FlashliteError] = type(str(ended.get("error_type")), (FlashliteError,), facts)
    return kind(ended.get("message", ""))
