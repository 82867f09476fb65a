"""A model call, as Inspect's ModelEvent (`inspect_ai/event/_model.py`)."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Self

from ..errors import ConfigError
from ..types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    MessageInput,
    Usage,
    normalize_messages,
    without_media,
)
from ..types.moments import timestamp
from .messages import Attachments, chained_ids, text_of, to_message
from .plain import LARGEST, plain
from .settings import to_settings
from .tools import to_tool_choice, to_tools

if TYPE_CHECKING:
    from inspect_ai.model import StopReason

STOP_REASONS: Mapping[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "model_length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
"""Inspect's stop reason for each finish reason; any other is "unknown"."""

NO_MODEL = "none/none"
"""Inspect's own name for no model, which it can build without a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A request and its answer or error; a broken stream may have both.

    `began` and `ended` are Unix seconds, `sent` is the JSON body of the last attempt, `cached_as`
    has the cache keys that `cached_as.py` returns.
    """

    request: CompletionRequest
    response: CompletionResponse | None = None
    error: BaseException | None = None
    began: float
    ended: float
    sent: Mapping[str, Any] | None = None
    cached_as: Mapping[str, Any] | None = None

    @classmethod
    def just_ended(
        cls,
        request: CompletionRequest | MessageInput,
        response: CompletionResponse | str | None = None,
        *,
        error: BaseException | None = None,
        began: float | None = None,
        sent: Mapping[str, Any] | None = None,
        cached_as: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a call that ends now; without `began`, its answer says how long it took."""
        if isinstance(response, str):
            response = CompletionResponse.of(response)
        if response is None and error is None:
            raise ConfigError("a call has an answer (a CompletionResponse or a text), or an error")
        if not isinstance(request, CompletionRequest):
            model = response.model if response is not None else ""
            request = CompletionRequest(model=model, messages=normalize_messages(request))
        ended = time.time()
        lasted = (response.duration or response.latency or 0.0) if response is not None else 0.0
        began = ended - lasted if began is None else began
        return cls(
            request=request,
            response=response,
            error=error,
            began=began,
            ended=ended,
            sent=sent,
            cached_as=cached_as,
        )

    @property
    def model(self) -> str:
        """The requested model in Inspect's form: `openai/gpt-4o`."""
        request, response = self.request, self.response
        if request.target is not None:
            return request.target.full_name
        if "/" in request.model:
            return request.model
        provider = (response and response.provider) or "flashlite"
        return f"{provider}/{request.model}" if request.model else NO_MODEL


def to_event(
    call: ModelCall, *, ids: Sequence[str], attachments: Attachments, with_raw: bool
) -> dict[str, Any]:
    """Return the event of a call whose messages have these ids; a pool holds the messages."""
    request, response = call.request, call.response
    worked = response.latency if response is not None and not response.cached else None
    event: dict[str, Any] = {
        "event": "model",
        "timestamp": timestamp(call.began),
        "completed": timestamp(call.ended),
        "working_time": call.ended - call.began if worked is None else worked,
        "model": call.model,
        "input": [],
        "tools": to_tools(request.tools) if request.tools else [],
        "tool_choice": to_tool_choice(request.params.get("tool_choice")),
        "config": to_settings(request.params, request.extra_body),
        "output": to_output(call, ids, attachments),
        "retries": (response.attempts if response else getattr(call.error, "attempts", 1)) - 1,
    }
    if response is not None and response.cached:
        event["cache"] = "read"
    if call.error is not None:
        event |= _failure(call.error)
    if with_raw and (raw := _raw(call)):
        event["call"] = raw
    if about := _about(call):
        event["metadata"] = about
    return event


def to_usage(usage: Usage) -> dict[str, Any]:
    """Return usage in Inspect's form, whose `input_tokens` leaves out cached ones.

    A count too large for JSON's readers is the largest that they take; such a cost is left out.
    """
    cached, written = usage.input_tokens_cached, usage.input_tokens_cache_write
    cost = usage.total_cost
    optional = {
        "input_tokens_cache_read": _count(cached) or None,
        "input_tokens_cache_write": _count(written) or None,
        "reasoning_tokens": _count(usage.reasoning_tokens) or None,
        "total_cost": cost if cost is not None and abs(cost) <= LARGEST else None,
    }
    return {
        "input_tokens": _count(usage.input_tokens - cached - written),
        "output_tokens": _count(usage.output_tokens),
        "total_tokens": _count(usage.total_tokens),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _count(tokens: float) -> int:
    return int(max(0, min(tokens, LARGEST)))


def to_error(error: BaseException) -> dict[str, Any]:
    """Return an error as Inspect's EvalError."""
    trace = "".join(traceback.format_exception(error))
    return {"message": message_of(error), "traceback": trace, "traceback_ansi": trace}


def message_of(error: BaseException) -> str:
    """Return an error's type and message; Inspect recognizes a cancellation by its name."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, Exception) else f"{name}({str(error)!r})"


def to_output(call: ModelCall, ids: Sequence[str], attachments: Attachments) -> dict[str, Any]:
    """Return an answer as Inspect's ModelOutput; `ids` are those of the messages before it."""
    response = call.response
    if response is None:
        used = getattr(call.error, "usage", None)  # of answers that were billed but did not fit
        return {"model": call.model, "choices": []} | (
            {"usage": to_usage(used)} if isinstance(used, Usage) else {}
        )
    name = response.model or call.model
    before = ids[-1] if ids else ""
    choices = [_choice(choice, name, before, attachments) for choice in response.choices]
    output: dict[str, Any] = {
        "model": name,
        "choices": choices,
        "completion": text_of(choices[0]["message"]["content"]) if choices else "",
        "metadata": plain(_provenance(response)),
    }
    if response.usage is not None:
        output["usage"] = to_usage(response.usage)
    if response.latency is not None:
        output["time"] = response.latency
    if response.id:
        output["response_id"] = str(response.id)
    return output


def _choice(choice: Choice, model: str, before: str, attachments: Attachments) -> dict[str, Any]:
    [id] = chained_ids([choice.message], before)
    message = {"role": "assistant", **choice.message}
    spelled = {
        "message": to_message(message, id=id, attachments=attachments, model=model),
        "stop_reason": STOP_REASONS.get(choice.finish_reason or "", "unknown"),
    }
    if choice.logprobs and (tokens := _logprobs(choice.logprobs.get("content"))):
        spelled["logprobs"] = {"content": tokens}
    return spelled


def _logprobs(tokens: Any) -> list[dict[str, Any]]:
    """Return log probabilities in Inspect's form, [] unless every token has one."""
    if not isinstance(tokens, list) or not all(map(_is_logprob, tokens)):
        return []
    return [
        {
            "token": token["token"],
            "logprob": token["logprob"],
            "top_logprobs": [
                {"token": other["token"], "logprob": other["logprob"]}
                for other in token.get("top_logprobs") or ()
                if _is_logprob(other)
            ],
        }
        for token in tokens
    ]


def _is_logprob(token: Any) -> bool:
    return (
        isinstance(token, Mapping)
        and isinstance(token.get("token"), str)
        and isinstance(token.get("logprob"), int | float)
        and isfinite(token["logprob"])  # JSON has no infinity or NaN, and Inspect takes no null
    )


def _failure(error: BaseException) -> dict[str, Any]:
    spelled = to_error(error)
    return {"error": spelled.pop("message"), **spelled}


def _raw(call: ModelCall) -> dict[str, Any] | None:
    """Return what went over the wire, as far as it is known."""
    answer = call.response.raw if call.response is not None else None
    if answer is None and isinstance(call.error, Exception):
        body = getattr(call.error, "body", None)
        answer = body if isinstance(body, Mapping) or body is None else {"body": body}
    if call.sent is None and answer is None:
        return None
    raw: dict[str, Any] = {"request": without_media(plain(call.sent or {}))}
    if answer is not None:
        raw["response"] = without_media(plain(answer))
    if call.error is not None:
        raw["error"] = True
    if call.response is not None and call.response.latency is not None:
        raw["time"] = call.response.latency
    return raw


def _provenance(response: CompletionResponse) -> Mapping[str, Any]:
    told = {
        "provider": response.provider,
        "request_id": response.request_id,
        "wasted": response.wasted and response.wasted.to_dict(),
        "fallback_from": response.fallback_from,
        "lineage": response.lineage,
        **response.facts,
    }
    return {name: value for name, value in told.items() if value}


def _about(call: ModelCall) -> dict[str, Any]:
    request = call.request
    told = {
        "request_id": request.id,
        "tags": request.tags,
        "sample": request.sample,
        "cached_as": call.cached_as,
    }
    return {name: value for name, value in told.items() if value not in (None, ())}
