"""Parsing Cohere's answers and stream events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import fsum
from typing import Any

from ...errors import MalformedResponseError, StreamInterruptedError
from ...types import (
    Choice,
    CompletionResponse,
    Delta,
    Message,
    ToolCallDelta,
    Usage,
)
from ..reading import (
    arguments_in,
    call_in,
    count_in,
    error_words,
    index_in,
    mapping_in,
    name_in,
    plausible,
    text_in,
)

_FINISHED = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
_BROKEN_OFF = frozenset({"ERROR", "TIMEOUT"})
_PLAN = -1  # the index of the plan among the thoughts; content blocks count from 0


def parse_answer(data: Mapping[str, Any]) -> CompletionResponse:
    """Parse the JSON of a whole answer."""
    message = data["message"]
    blocks = message.get("content") or ()
    usage = mapping_in(data.get("usage"))
    answer = Message.assistant(
        "".join(text_in(block["text"]) for block in blocks if block["type"] == "text") or None,
        tool_calls=[call_in(call, n) for n, call in enumerate(message.get("tool_calls") or ())],
    )
    thoughts = [("thinking", block["thinking"]) for block in blocks if block["type"] == "thinking"]
    thoughts += [("tool_plan", plan)] if (plan := message.get("tool_plan")) else []
    said = {
        "reasoning_content": "".join(text_in(text) for _, text in thoughts),
        "thinking_blocks": [_thought(kind, text) for kind, text in thoughts if text],
        "annotations": [_annotation(citation) for citation in message.get("citations") or ()],
    }
    answer.update({name: value for name, value in said.items() if value})
    choice = Choice(
        message=answer,
        finish_reason=_finish_reason(data.get("finish_reason")),
        logprobs=_logprobs(data.get("logprobs")),
    )
    return CompletionResponse(
        id=name_in(data.get("id")),
        choices=(choice,),
        usage=_usage(usage),
        facts=_facts(usage),
        raw=data,
    )


def _thought(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, kind: text}


def _annotation(citation: Mapping[str, Any]) -> dict[str, Any]:
    """Return a citation in OpenAI's form; its sources have ids, and seldom addresses."""
    return {"type": "citation", "citation": dict(citation)}


def _finish_reason(reason: Any, error: Any = None) -> str:
    said = text_in(reason)
    if said in _BROKEN_OFF or not said:
        why = text_in(error) or f"finish_reason {said!r}"
        raise MalformedResponseError(f"the server broke the answer off: {why}")
    return _FINISHED.get(said, said.lower())


def _logprobs(items: Any) -> dict[str, Any] | None:
    """Return OpenAI's object; each item is a text whose tokens' probabilities are multiplied."""
    if items is None:
        return None
    told = [(text_in(item["text"]), fsum(item["logprobs"])) for item in items if "logprobs" in item]
    return {"content": [{"token": text, "logprob": n, "top_logprobs": []} for text, n in told]}


@plausible
def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    """Return the billed tokens, without the prompt that Cohere adds around a request."""
    counts = (usage.get("billed_units") or usage.get("tokens")) if usage else None
    if not usage or not counts:
        return None
    asked = count_in(counts.get("input_tokens"))
    return Usage(
        input_tokens=asked,
        output_tokens=count_in(counts.get("output_tokens")),
        input_tokens_cached=min(asked, count_in(usage.get("cached_tokens"))),
    )


def _facts(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return all tokens that the model read and wrote, billed or not."""
    tokens = usage.get("tokens") if usage else None
    return {"tokens": tokens} if tokens else {}


def parse_event(data: Mapping[str, Any]) -> Iterator[Delta]:
    """Parse the JSON of one event of a stream."""
    kind = data.get("type")
    if not isinstance(kind, str):
        raise StreamInterruptedError(f"the stream broke off: {error_words(data)[0]}", body=data)
    delta = data.get("delta") or {}
    if kind == "message-start":
        yield Delta(index=None, facts={"id": data["id"]} if name_in(data.get("id")) else None)
    elif kind == "message-end":
        yield from _end(delta)
    elif (read := _PIECES.get(kind)) is not None:
        yield from read(data, delta.get("message") or {})


def _end(delta: Mapping[str, Any]) -> Iterator[Delta]:
    usage = delta.get("usage")
    if (told := _usage(usage)) is not None:
        yield Delta(index=None, usage=told, facts=_facts(usage) or None)
    yield Delta(finish_reason=_finish_reason(delta.get("finish_reason"), delta.get("error")))


def _content_piece(data: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[Delta]:
    content = message.get("content") or {}
    logprobs = data.get("logprobs")
    if thinking := text_in(content.get("thinking")):
        yield _thinking_piece(index_in(data, 0), "thinking", thinking)
    text, odds = text_in(content.get("text")), _logprobs([logprobs] if logprobs else None)
    if text or odds:
        yield Delta(text=text, logprobs=odds)


def _plan_piece(data: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[Delta]:
    if plan := text_in(message.get("tool_plan")):
        yield _thinking_piece(_PLAN, "tool_plan", plan)


def _thinking_piece(place: int, kind: str, text: str) -> Delta:
    return Delta(reasoning=text, extra={"thinking_blocks": [(place, _thought(kind, text))]})


def _call_piece(data: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[Delta]:
    for order, call in enumerate(_listed(message.get("tool_calls"))):
        function = call.get("function") or {}
        index = index_in(data, 0) + order
        name = text_in(function.get("name"))
        id = text_in(call.get("id")) or (f"call_{index}" if name else "")
        piece = ToolCallDelta(index, id, name, arguments_in(function.get("arguments")))
        yield Delta(tool_call=piece)


def _citation_piece(data: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[Delta]:
    for citation in _listed(message.get("citations")):
        yield Delta(extra={"annotations": [(None, _annotation(citation))]})


def _listed(value: Any) -> Sequence[Mapping[str, Any]]:
    """Return a list: an event has a single item where a whole answer has a list."""
    return [value] if isinstance(value, Mapping) else value or ()


_PIECES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Delta]]] = {
    "content-start": _content_piece,
    "content-delta": _content_piece,
    "tool-plan-delta": _plan_piece,
    "tool-call-start": _call_piece,
    "tool-call-delta": _call_piece,
    "citation-start": _citation_piece,
}
