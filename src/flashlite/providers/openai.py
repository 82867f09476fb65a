"""The dialect of OpenAI's chat completions API, which most other hosts speak too.

Source: https://platform.openai.com/docs/api-reference/chat. Extensions of compatible servers are
read too: `reasoning_content` or `reasoning`, and errors inside a 200.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any

from ..errors import CompletionError, MalformedResponseError
from ..types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    Delta,
    Message,
    Role,
    ToolCallDelta,
    Usage,
    text_part,
)
from ..wire import SSEvent, WireRequest
from .adapter import Endpoint, Host
from .reading import (
    NOT_AN_ANSWER,
    arguments_in,
    call_in,
    count_in,
    error_words,
    index_in,
    load,
    load_event,
    name_in,
    not_an_answer,
    not_an_event,
    plausible,
    read_error,
    text_in,
)
from .refusals import inner_status, refusal
from .thinking_parts import signed, split_thinking, thinking_text

# Keys of answers beyond OpenAI's, which no server takes back under these names.
_LISTS = ("annotations", "reasoning_details", "thinking_blocks")
_OUR_KEYS = frozenset({*_LISTS, "reasoning_content"})
# OpenRouter's finish reason for an upstream failure, and vLLM's for a dropped request.
_BROKEN_OFF = frozenset({"error", "abort"})
# Mistral's finish reason for a full context, and Together's for the end of a text.
_REASONS = {"model_length": "length", "eos": "stop"}
_SAYABLE = frozenset({"text", "refusal", "thinking", "reasoning"})
_FACTS = ("system_fingerprint", "service_tier", "citations", "search_results")


class OpenAIAdapter:
    """Chat completions."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        host = endpoint.host
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [_message(message, host) for message in request.messages],
        }
        for name, value in request.params.items():
            body[host.renames.get(name, name)] = value
        if request.tools:
            body["tools"] = list(request.tools)
        if request.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        body.update(request.extra_body)
        return WireRequest(
            url=f"{endpoint.base_url.rstrip('/')}/chat/completions",
            json=body,
            headers={**endpoint.bearer, **request.extra_headers},
            timeout=request.timeout,
        )

    def parse_response(self, body: bytes) -> CompletionResponse:
        return parse_completion(load(body))

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        if event.data.strip() == b"[DONE]":
            return ()
        return list(parse_chunk(load_event(event.data)))

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


def parse_completion(data: Mapping[str, Any]) -> CompletionResponse:
    """Parse the JSON of a whole answer."""
    raise_inner_error(data)
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedResponseError("status 200, but the answer has no choices", body=data)
    try:
        return CompletionResponse(
            id=name_in(data.get("id")),
            model=name_in(data.get("model")) or "",
            choices=tuple(_choice(choice, position) for position, choice in enumerate(choices)),
            usage=usage_in(data.get("usage")),
            facts={name: data[name] for name in _FACTS if data.get(name) is not None},
            raw=data,
        )
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, data) from error


def parse_chunk(data: Mapping[str, Any]) -> Iterator[Delta]:
    """Parse the JSON of one chunk of a stream."""
    raise_inner_error(data)
    try:
        for position, choice in enumerate(data.get("choices") or ()):
            yield from _deltas(choice, position)
            if choice.get("finish_reason"):
                yield Delta(index=None, facts=_chunk_facts(data))
        if (usage := usage_in(data.get("usage"))) is not None:
            yield Delta(index=None, usage=usage)
    except NOT_AN_ANSWER as error:
        raise not_an_event(error, data) from error


def _message(message: Message, host: Host) -> Mapping[str, Any]:
    """Return the message to send; the same object if nothing has to change."""
    role = message["role"]
    if role == _DEVELOPER and not host.knows_developer:
        return {**message, "role": Role.SYSTEM.value}
    if role != _ASSISTANT:
        return message
    content = message.get("content")
    parts = _sayable(content) if isinstance(content, list) else content
    if parts is content and _OUR_KEYS.isdisjoint(message):
        return message
    wire = {key: value for key, value in message.items() if key not in _OUR_KEYS}
    if "content" in wire:
        wire["content"] = parts
    if host.reasoning_field is not None:
        thought = {host.reasoning_field: message.get("reasoning_content")}
        thought["reasoning_details"] = message.get("reasoning_details")
        wire |= {key: value for key, value in thought.items() if value}
    return wire


_ASSISTANT, _DEVELOPER = Role.ASSISTANT.value, Role.DEVELOPER.value


def _sayable(content: list[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
    """Return the parts of an answer without those that only other dialects can express.

    These are traces of a server's own tools, and marks of their order.
    """
    kept = [part for part in content if part.get("type") in _SAYABLE and len(part) > 1]
    return content if len(kept) == len(content) else kept or None


def _choice(choice: Mapping[str, Any], position: int) -> Choice:
    raise_inner_error(choice)
    return Choice(
        index=index_in(choice, position),
        message=_answer(choice["message"]),
        finish_reason=_finish_reason(choice),
        logprobs=_logprobs(choice.get("logprobs")),
    )


def _answer(message: Mapping[str, Any]) -> Message:
    content, thoughts = message.get("content"), list[dict[str, Any]]()
    if isinstance(content, list):
        content, thoughts = split_thinking(content)
    answer = Message(role=_ASSISTANT, content=_content(content))
    if calls := message.get("tool_calls"):
        answer["tool_calls"] = [call_in(call, n).to_dict() for n, call in enumerate(calls)]
    for key in ("audio", *_LISTS):
        if value := message.get(key):
            answer[key] = value
    if (blocks := signed(thoughts)) and "thinking_blocks" not in answer:
        answer["thinking_blocks"] = blocks
    if reasoning := _reasoning(message) or thinking_text(thoughts):
        answer["reasoning_content"] = reasoning
    if refusal := text_in(message.get("refusal")):
        answer["refusal"] = refusal
    return answer


def _content(content: Any) -> str | list[Any] | None:
    if not isinstance(content, list):
        return None if content is None else text_in(content)
    for part in content:
        text_in(part.get("text"))
    return content


def _deltas(choice: Mapping[str, Any], position: int) -> Iterator[Delta]:
    raise_inner_error(choice)
    delta = choice.get("delta") or {}
    index = index_in(choice, position)
    content = delta.get("content")
    if isinstance(content, list):
        yield from _part_deltas(content, index)
        content = None
    text, reasoning = text_in(content), _reasoning(delta)
    refused = text_in(delta.get("refusal"))
    logprobs = _logprobs(choice.get("logprobs"))
    if text or reasoning or refused or logprobs:
        yield Delta(index=index, text=text, reasoning=reasoning, refusal=refused, logprobs=logprobs)
    for name in _LISTS:
        if items := delta.get(name):
            yield Delta(index=index, extra={name: [(_place(item), item) for item in items]})
    for order, call in enumerate(delta.get("tool_calls") or ()):
        yield Delta(index=index, tool_call=_call_delta(call, order))
    if finish_reason := _finish_reason(choice):
        yield Delta(index=index, finish_reason=finish_reason)


def _part_deltas(content: list[Any], index: int) -> Iterator[Delta]:
    """Parse content that comes in parts, including thinking."""
    rest, thoughts = split_thinking(content)
    if reasoning := thinking_text(thoughts):
        yield Delta(index=index, reasoning=reasoning)
    if blocks := signed(thoughts):
        yield Delta(index=index, extra={"thinking_blocks": [(0, block) for block in blocks]})
    for part in rest if isinstance(rest, list) else [text_part(rest)]:
        text = text_in(part.get("text"))
        if part.get("type") != "text":
            yield Delta(index=index, part=part)
        elif text:
            yield Delta(index=index, text=text)


def _place(item: Mapping[str, Any]) -> int | None:
    place = item.get("index")
    return place if isinstance(place, int) else None


def _finish_reason(choice: Mapping[str, Any]) -> str | None:
    """Return why the model stopped; some servers send an empty reason before there is one."""
    reason = text_in(choice.get("finish_reason"))
    if reason in _BROKEN_OFF:
        raise MalformedResponseError(f"the server broke the answer off: finish_reason {reason!r}")
    return _REASONS.get(reason, reason) or None


def _call_delta(call: Mapping[str, Any], order: int) -> ToolCallDelta:
    function = call.get("function") or {}
    index = index_in(call, order)
    name = text_in(function.get("name"))
    # Tool results refer to a call by id, so a call needs one; whole answers do the same.
    id = text_in(call.get("id")) or (f"call_{index}" if name else "")
    return ToolCallDelta(index, id, name, arguments_in(function.get("arguments")))


def _chunk_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"id": name_in(data.get("id")), "model": name_in(data.get("model"))}
    told |= {name: data.get(name) for name in _FACTS}
    return {name: value for name, value in told.items() if value is not None}


@plausible
def usage_in(usage: Mapping[str, Any] | None) -> Usage | None:
    """Parse the usage as OpenAI counts it; return None if none is reported."""
    if not usage:
        return None
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
    billed, total = _billed(usage.get("cost")), count_in(usage.get("total_tokens"))
    asked, said = count_in(usage.get("prompt_tokens")), count_in(usage.get("completion_tokens"))
    thought = count_in(completion.get("reasoning_tokens"))
    return Usage(
        input_tokens=asked,
        # xAI does not include reasoning in completion tokens, as its total shows.
        output_tokens=said + thought if thought and total == asked + said + thought else said,
        total_tokens=total,
        input_tokens_cached=count_in(cached),
        input_tokens_cache_write=count_in(prompt.get("cache_write_tokens")),
        reasoning_tokens=thought,
        total_cost=billed,
    )


def _billed(cost: Any) -> float | None:
    """Return the billed dollars: one number from OpenRouter, an itemized sum from Perplexity."""
    total = cost.get("total_cost") if isinstance(cost, Mapping) else cost
    is_cost = isinstance(total, int | float) and not isinstance(total, bool) and 0 <= total < inf
    return total if is_cost else None


def _reasoning(message: Mapping[str, Any]) -> str:
    return text_in(message.get("reasoning_content") or message.get("reasoning"))


def _logprobs(value: Any) -> dict[str, Any] | None:
    """Return log probabilities unchanged; raise TypeError for anything else."""
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(v, list | None) for v in value.values()):
        raise TypeError(f"{value!r:.80} are not log probabilities")
    return value


def raise_inner_error(data: Mapping[str, Any]) -> None:
    """Raise the error that some hosts put into the body of a 200, with its status as `code`.

    OpenRouter puts it beside the unfinished choices, or into one of them.
    """
    inner = data if data.get("object") == "error" else data.get("error")
    if not inner:
        return
    message, code = error_words(data)
    raise refusal(inner_status(inner), message, code=code, body=data)
