"""The dialect of OpenAI's chat completions API, which most other hosts speak too.

Source: https://platform.openai.com/docs/api-reference/chat. Beyond it, answers of compatible
servers are read as they come: `reasoning_content` or `reasoning`, and errors inside a 200.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any

import orjson

from ..errors import CompletionError, MalformedResponseError, StreamInterruptedError
from ..types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    Delta,
    Message,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from ..wire import SSEvent, WireRequest
from .adapter import Endpoint
from .refusals import inner_status, refusal

# What an answer carries beyond OpenAI's keys and no server takes back under this name.
_OUR_KEYS = frozenset({"annotations", "reasoning_content", "reasoning_details", "thinking_blocks"})
# OpenRouter's word for a failure upstream, and vLLM's for a request that it dropped.
_BROKEN_OFF = frozenset({"error", "abort"})
_NOT_AN_ANSWER = (AttributeError, KeyError, TypeError, ValueError, OverflowError)
_FACTS = ("system_fingerprint", "service_tier", "citations", "search_results")


class OpenAIAdapter:
    """Chat completions."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        host = endpoint.host
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [_message(message, host.reasoning_field) for message in request.messages],
        }
        for name, value in request.params.items():
            body[host.renames.get(name, name)] = value
        if request.tools:
            body["tools"] = list(request.tools)
        if request.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        body.update(request.extra_body)
        headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
        return WireRequest(
            url=f"{endpoint.base_url.rstrip('/')}/chat/completions",
            json=body,
            headers={**headers, **request.extra_headers},
            timeout=request.timeout,
        )

    def parse_response(self, body: bytes) -> CompletionResponse:
        return parse_completion(_load(body))

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        if event.data.strip() == b"[DONE]":
            return ()
        try:
            data = _load(event.data)
        except MalformedResponseError as error:
            raise StreamInterruptedError(f"the stream broke off: {error.reason}") from error
        return list(parse_chunk(data))

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        try:
            parsed = _from_json(body)
        except (ValueError, RecursionError):
            text = body.decode("utf-8", "replace").strip()
            return refusal(status, text[:500], headers=headers, body=text)
        message, code = error_words(parsed)
        return refusal(status, message, code=code, headers=headers, body=parsed)


def parse_completion(data: Mapping[str, Any]) -> CompletionResponse:
    """Read the JSON of a whole answer."""
    _raise_inner_error(data)
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedResponseError("status 200, but the answer has no choices", body=data)
    try:
        return CompletionResponse(
            id=_name(data.get("id")),
            model=_name(data.get("model")) or "",
            choices=tuple(_choice(choice, position) for position, choice in enumerate(choices)),
            usage=_usage(data.get("usage")),
            facts={name: data[name] for name in _FACTS if data.get(name) is not None},
            raw=data,
        )
    except _NOT_AN_ANSWER as error:
        raise MalformedResponseError(
            f"status 200, but not an answer: {error}", body=data
        ) from error


def parse_chunk(data: Mapping[str, Any]) -> Iterator[Delta]:
    """Read the JSON of one chunk of a stream."""
    _raise_inner_error(data)
    try:
        for position, choice in enumerate(data.get("choices") or ()):
            yield from _deltas(choice, position)
            if choice.get("finish_reason"):
                yield Delta(index=None, facts=_chunk_facts(data))
        if (usage := _usage(data.get("usage"))) is not None:
            yield Delta(index=None, usage=usage)
    except _NOT_AN_ANSWER as error:
        raise StreamInterruptedError(
            f"the stream broke off: not a chunk of an answer: {error}", body=data
        ) from error


def _message(message: Message, reasoning_field: str | None) -> Mapping[str, Any]:
    """Return the message as it goes out; the same object when nothing has to change."""
    if _OUR_KEYS.isdisjoint(message):
        return message
    wire = {key: value for key, value in message.items() if key not in _OUR_KEYS}
    if reasoning_field is not None:
        thought = {reasoning_field: message.get("reasoning_content")}
        thought["reasoning_details"] = message.get("reasoning_details")
        wire |= {key: value for key, value in thought.items() if value}
    return wire


def _choice(choice: Mapping[str, Any], position: int) -> Choice:
    _raise_inner_error(choice)
    return Choice(
        index=_index(choice, position),
        message=_answer(choice["message"]),
        finish_reason=_finish_reason(choice),
        logprobs=_logprobs(choice.get("logprobs")),
    )


def _answer(message: Mapping[str, Any]) -> Message:
    answer = Message.assistant(_content(message.get("content")))
    if calls := message.get("tool_calls"):
        answer["tool_calls"] = [_call(call, n).to_dict() for n, call in enumerate(calls)]
    kept = ("audio", "annotations", "reasoning_details", "thinking_blocks")
    said = {key: message.get(key) for key in kept}
    said |= {"reasoning_content": _reasoning(message), "refusal": _text(message.get("refusal"))}
    answer.update({key: value for key, value in said.items() if value})
    return answer


def _content(content: Any) -> str | list[Any] | None:
    if not isinstance(content, list):
        return None if content is None else _text(content)
    for part in content:
        _text(part.get("text"))
    return content


def _call(call: Mapping[str, Any], position: int) -> ToolCall:
    function = call["function"]
    return ToolCall(
        _text(call.get("id")) or f"call_{position}",
        _text(function["name"]),
        _arguments(function.get("arguments")),
    )


def _deltas(choice: Mapping[str, Any], position: int) -> Iterator[Delta]:
    _raise_inner_error(choice)
    delta = choice.get("delta") or {}
    index = _index(choice, position)
    text = _text(delta.get("content"))
    reasoning = _reasoning(delta)
    refused = _text(delta.get("refusal"))
    logprobs = _logprobs(choice.get("logprobs"))
    if text or reasoning or refused or logprobs:
        yield Delta(index=index, text=text, reasoning=reasoning, refusal=refused, logprobs=logprobs)
    for order, call in enumerate(delta.get("tool_calls") or ()):
        yield Delta(index=index, tool_call=_call_delta(call, order))
    if finish_reason := _finish_reason(choice):
        yield Delta(index=index, finish_reason=finish_reason)


def _finish_reason(choice: Mapping[str, Any]) -> str | None:
    """Return why the model stopped; some servers send an empty reason while there is none."""
    reason = _text(choice.get("finish_reason"))
    if reason in _BROKEN_OFF:
        raise MalformedResponseError(f"the server broke the answer off: finish_reason {reason!r}")
    return reason or None


def _call_delta(call: Mapping[str, Any], order: int) -> ToolCallDelta:
    function = call.get("function") or {}
    index = _index(call, order)
    name = _text(function.get("name"))
    # Results name the call that they answer, so a call needs an id; a whole answer does the same.
    id = _text(call.get("id")) or (f"call_{index}" if name else "")
    return ToolCallDelta(index, id, name, _arguments(function.get("arguments")))


def _chunk_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"id": _name(data.get("id")), "model": _name(data.get("model"))}
    told |= {name: data.get(name) for name in _FACTS}
    return {name: value for name, value in told.items() if value is not None}


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if not usage:
        return None
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
    billed, total = usage.get("cost"), _count(usage.get("total_tokens"))
    asked, said = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    thought = _count(completion.get("reasoning_tokens"))
    return Usage(
        input_tokens=asked,
        # xAI counts reasoning beside what was said; its total tells.
        output_tokens=said + thought if thought and total == asked + said + thought else said,
        total_tokens=total,
        input_tokens_cached=_count(cached),
        input_tokens_cache_write=_count(prompt.get("cache_write_tokens")),
        reasoning_tokens=thought,
        # OpenRouter bills one number of dollars; what else goes by this name is not known.
        total_cost=billed if _is_cost(billed) else None,
    )


def _is_cost(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < inf


def _reasoning(message: Mapping[str, Any]) -> str:
    return _text(message.get("reasoning_content") or message.get("reasoning"))


def _arguments(arguments: Any) -> str:
    """Return a call's arguments as text; some servers give the object itself."""
    if isinstance(arguments, dict):
        return orjson.dumps(arguments).decode()
    return _text(arguments)


def _text(value: Any) -> str:
    """Return text, empty for null; raises TypeError for anything else."""
    if not isinstance(value, str | None):
        raise TypeError(f"{value!r:.80} is not text")
    return value or ""


def _name(value: Any) -> str | None:
    """Return what an answer calls itself; no answer is refused for a name that is not text."""
    return value if isinstance(value, str) else None


def _count(value: Any) -> int:
    """Return a number of tokens, 0 for null; raises TypeError for anything else."""
    if not isinstance(value, int | float | None):
        raise TypeError(f"{value!r:.80} is not a number of tokens")
    return int(value or 0)


def _logprobs(value: Any) -> dict[str, Any] | None:
    """Return log probabilities as they came; raises TypeError for anything else."""
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(v, list | None) for v in value.values()):
        raise TypeError(f"{value!r:.80} are not log probabilities")
    return value


def _index(item: Mapping[str, Any], position: int) -> int:
    index = item.get("index")
    return index if isinstance(index, int) else position


def _load(body: bytes) -> Mapping[str, Any]:
    try:
        data = _from_json(body)
    except (ValueError, RecursionError) as error:
        text = body.decode("utf-8", "replace").strip()
        what = f"not JSON: {text[:200]!r}" if text else "empty"
        raise MalformedResponseError(f"status 200, but the body is {what}", body=text) from error
    if not isinstance(data, dict):
        raise MalformedResponseError("status 200, but the body is not a JSON object", body=data)
    return data


def _from_json(body: bytes) -> Any:
    """Read JSON, and what servers take for it.

    A model may cut an emoji in half and a log probability may be -Infinity; such an answer was
    paid for. Half an emoji becomes "?", since nothing could write it down.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        loose = json.loads(body)
        return json.loads(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))


def _raise_inner_error(data: Mapping[str, Any]) -> None:
    """Some hosts answer 200 and put the error, with its status as code, into the body.

    OpenRouter puts it beside the choices that it could not finish, or into one of them.
    """
    inner = data if data.get("object") == "error" else data.get("error")
    if not inner:
        return
    message, code = error_words(data)
    raise refusal(inner_status(inner), message, code=code, body=data)


def error_words(body: Any) -> tuple[str, str | None]:
    """Find the message and the slug in the shapes that servers use."""
    inner = (body.get("error") or body) if isinstance(body, Mapping) else body
    if not isinstance(inner, Mapping):
        return str(inner)[:500], None
    message = inner.get("message") or inner.get("detail") or inner
    if not isinstance(message, str):
        message = orjson.dumps(message).decode()
    slugs = (slug for slug in (inner.get("code"), inner.get("type")) if isinstance(slug, str))
    return message[:2000], next((slug for slug in slugs if not slug.isdecimal()), None)
