"""Parsing Gemini's answers; a whole one is parsed like a stream of one chunk.

Each event of a stream is a GenerateContentResponse of its own. See `contents.py` for where thought
signatures go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from ...errors import CompletionError, ContentPolicyViolationError, MalformedResponseError
from ...types import CompletionResponse, Delta, StreamAccumulator, ToolCall, Usage, image_part
from ..reading import (
    NOT_AN_ANSWER,
    arguments_in,
    count_in,
    index_in,
    load,
    load_event,
    mapping_in,
    name_in,
    not_an_answer,
    not_an_event,
    plausible,
    text_in,
)
from .errors import inner_error

_FILTERED = "content_filter"
_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "BLOCKLIST": _FILTERED,
    "IMAGE_PROHIBITED_CONTENT": _FILTERED,
    "IMAGE_RECITATION": _FILTERED,
    "IMAGE_SAFETY": _FILTERED,
    "IMAGE_OTHER": _FILTERED,
    "LANGUAGE": _FILTERED,
    "NO_IMAGE": _FILTERED,
    "OTHER": _FILTERED,
    "PROHIBITED_CONTENT": _FILTERED,
    "RECITATION": _FILTERED,
    "SAFETY": _FILTERED,
    "SPII": _FILTERED,
}

# Vertex AI's service tiers, under the Gemini API's names.
_TIERS = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}

# The model wrote a call that the API could not parse and does not return: there is nothing to show
# the model, and a retry mostly succeeds.
_UNREADABLE = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    }
)


def whole(body: bytes) -> CompletionResponse:
    """Parse a whole answer; raise MalformedResponseError if it is not one."""
    data = _chunks(body, load)
    try:
        response = _whole(data)
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, data) from error
    if not response.choices:
        raise MalformedResponseError("status 200, but the answer has no candidates", body=data)
    if any(choice.finish_reason is None for choice in response.choices):
        raise MalformedResponseError("status 200, but the answer is not finished", body=data)
    return response


def event(body: bytes) -> list[Delta]:
    """Parse one event of a stream; raise StreamInterruptedError if it is not one."""
    data = _chunks(body, load_event)
    try:
        return [delta for chunk in data for delta in _deltas(chunk)]
    except NOT_AN_ANSWER as error:
        raise not_an_event(error, data) from error


def _chunks(body: bytes, load: Callable[[bytes], Mapping[str, Any]]) -> Sequence[Any]:
    """Parse one chunk, or the list of chunks of a stream without `alt=sse`."""
    if body.lstrip().startswith(b"["):
        return cast("Sequence[Any]", load(b'{"list": %b}' % body)["list"])
    return [load(body)]


def _whole(data: Sequence[Any]) -> CompletionResponse:
    pieces, usage = StreamAccumulator(), None
    for chunk in data:
        for delta in _deltas(chunk):
            usage = delta.usage or usage
            for _ in pieces.feed(delta):
                pass  # the events are not needed
    facts = pieces.facts
    return CompletionResponse(
        id=facts.pop("id", None),
        model=facts.pop("model", ""),
        choices=pieces.so_far(),
        usage=usage,
        facts=facts,
        raw=data[0] if len(data) == 1 else {"chunks": data},
    )


def _deltas(chunk: Mapping[str, Any]) -> Iterator[Delta]:
    """Parse one chunk; raise CompletionError for an error or a blocked prompt."""
    if chunk.get("error"):
        raise inner_error(chunk)
    candidates = chunk.get("candidates") or ()
    feedback = chunk.get("promptFeedback") or {}
    if not candidates and feedback.get("blockReason"):
        raise _blocked(feedback, chunk)
    for position, candidate in enumerate(candidates):
        yield from _candidate(candidate, index_in(candidate, position))
    used = mapping_in(chunk.get("usageMetadata"))
    yield Delta(index=None, facts=_facts(chunk, used))
    if used:
        yield Delta(index=None, usage=_usage(used))


def _candidate(candidate: Mapping[str, Any], index: int) -> Iterator[Delta]:
    calls = 0
    for part in (candidate.get("content") or {}).get("parts") or ():
        if "functionCall" in part:
            yield from _call(part, index, f"call_{calls}")
            calls += 1
        else:
            yield from _part(part, index)
    if logprobs := _logprobs(candidate.get("logprobsResult") or {}):
        yield Delta(index=index, logprobs={"content": logprobs})
    if sources := [*_grounding(candidate), *_citations(candidate)]:
        yield Delta(index=index, extra={"annotations": [(None, source) for source in sources]})
    reason = text_in(candidate.get("finishReason"))
    if reason not in ("", "FINISH_REASON_UNSPECIFIED"):
        finish = _finish_reason(reason, candidate)
        yield Delta(index=index, finish_reason=finish)
        if finish == _FILTERED:
            yield Delta(index=None, facts={"stop_details": _stop_details(reason, candidate)})


def _call(part: Mapping[str, Any], index: int, made_up: str) -> Iterator[Delta]:
    """Yield a call, which comes whole; without an id it gets one from its position."""
    call = part["functionCall"]
    id = text_in(call.get("id"))
    arguments = arguments_in(call.get("args")) or "{}"
    yield Delta(index=index, tool_call=ToolCall(id, text_in(call["name"]), arguments))
    if signature := text_in(part.get("thoughtSignature")):
        yield _signed(signature, id or made_up, index)


def _part(part: Mapping[str, Any], index: int) -> Iterator[Delta]:
    text, signature = text_in(part.get("text")), text_in(part.get("thoughtSignature"))
    if part.get("thought"):
        # Images drawn while thinking are not part of the answer and are not sent back.
        yield Delta(index=index, reasoning=text)
        if signature:
            yield _opaque_part(part, index)
    elif "text" in part:
        yield Delta(index=index, text=text)
        if signature:
            yield _signed(signature, None, index)
    elif "inlineData" in part:
        signed = {"thought_signature": signature} if signature else {}
        yield Delta(index=index, part=_media(part["inlineData"]) | signed)
    elif part:
        yield _opaque_part(part, index)


def _signed(signature: str, tool_call_id: str | None, index: int) -> Delta:
    block = {
        "type": "thought_signature",
        "tool_call_id": tool_call_id,
        "signature": signature,
    }
    return Delta(index=index, extra={"thinking_blocks": [(None, block)]})


def _opaque_part(part: Mapping[str, Any], index: int) -> Delta:
    """Keep a part that OpenAI's form cannot express, such as executed code, to be sent back."""
    block = {"type": "google_part", "part": dict(part)}
    return Delta(index=index, extra={"thinking_blocks": [(None, block)]})


def _media(blob: Mapping[str, Any]) -> dict[str, Any]:
    kind, data = text_in(blob.get("mimeType")), text_in(blob.get("data"))
    if kind.startswith("audio/"):
        sound = {"data": data, "format": kind.removeprefix("audio/")}
        return {"type": "input_audio", "input_audio": sound}
    return image_part(f"data:{kind};base64,{data}")


def _finish_reason(reason: str, candidate: Mapping[str, Any]) -> str:
    if reason in _UNREADABLE:
        said = text_in(candidate.get("finishMessage"))
        problem = f"the model's answer was unusable: {reason}{_after(said)}"
        raise MalformedResponseError(problem, code=reason)
    return _REASONS.get(reason, "stop")


def _stop_details(reason: str, candidate: Mapping[str, Any]) -> dict[str, str]:
    """Return why an answer was withheld, in the words that Anthropic has for it."""
    ratings = candidate.get("safetyRatings") or ()
    blocked = (text_in(rating.get("category")) for rating in ratings if rating.get("blocked"))
    told = {
        "type": reason,
        "category": next(blocked, ""),
        "explanation": text_in(candidate.get("finishMessage")),
    }
    return {name: value for name, value in told.items() if value}


def _blocked(feedback: Mapping[str, Any], chunk: Mapping[str, Any]) -> CompletionError:
    reason = text_in(feedback["blockReason"])
    said = _after(text_in(feedback.get("blockReasonMessage")))
    return ContentPolicyViolationError(
        f"the prompt was blocked: {reason}{said}", code=reason, body=chunk
    )


def _after(said: str) -> str:
    return f": {said}" if said else ""


def _facts(chunk: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, str]:
    told = {
        "id": name_in(chunk.get("responseId")),
        "model": name_in(chunk.get("modelVersion")),
        "service_tier": _tier(used),
    }
    return {name: value for name, value in told.items() if value is not None}


def _tier(used: Mapping[str, Any]) -> str | None:
    """Return the tier that served a request, which may differ from the requested one."""
    told = text_in(used.get("serviceTier")).lower()
    return told or _TIERS.get(text_in(used.get("trafficType")))


@plausible
def _usage(told: Mapping[str, Any]) -> Usage:
    asked = count_in(told.get("promptTokenCount")) + count_in(told.get("toolUsePromptTokenCount"))
    said = count_in(told.get("candidatesTokenCount"))
    thought = count_in(told.get("thoughtsTokenCount"))
    total = count_in(told.get("totalTokenCount"))
    # Some models include thoughts in the candidates' tokens, as the total shows.
    is_inclusive = total == asked + said
    return Usage(
        input_tokens=asked,
        output_tokens=said if is_inclusive else said + thought,
        total_tokens=total,
        input_tokens_cached=count_in(told.get("cachedContentTokenCount")),
        reasoning_tokens=thought,
    )


def _logprobs(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return log probabilities in OpenAI's form; the API sends them after the whole text."""
    steps = list(result.get("topCandidates") or ())
    chosen = list(result.get("chosenCandidates") or ())
    steps += [{}] * (len(chosen) - len(steps))
    return [
        _token(token) | {"top_logprobs": [_token(other) for other in step.get("candidates") or ()]}
        for token, step in zip(chosen, steps, strict=False)
    ]


def _token(told: Mapping[str, Any]) -> dict[str, Any]:
    token = text_in(told.get("token"))
    return {"token": token, "logprob": told.get("logProbability"), "bytes": [*token.encode()]}


def _grounding(candidate: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield search results, one for each span of the text that is based on them.

    Spans are in bytes of UTF-8, as in the API.
    """
    found = candidate.get("groundingMetadata") or {}
    pages = [chunk.get("web") or {} for chunk in found.get("groundingChunks") or ()]
    for support in found.get("groundingSupports") or ():
        for place in support.get("groundingChunkIndices") or ():
            if 0 <= place < len(pages):
                yield _citation(pages[place], support.get("segment") or {})


def _citations(candidate: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the sources that the text quotes; Vertex AI has another name for the list."""
    told = candidate.get("citationMetadata") or {}
    for source in told.get("citationSources") or told.get("citations") or ():
        yield _citation(source, source)


def _citation(page: Mapping[str, Any], span: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url_citation": {
            "url": text_in(page.get("uri")),
            "title": text_in(page.get("title")),
            "start_index": count_in(span.get("startIndex")),
            "end_index": count_in(span.get("endIndex")),
        },
    }
