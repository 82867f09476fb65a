"""Parsing answers of the Responses API: a list of items becomes one message.

Text becomes the message's content, calls its tool calls, and items of the provider's own tools
unchanged parts of the content. `thinking_blocks` has what a message cannot otherwise express and
the API wants back: unchanged reasoning items, and a mark for each message that has a phase or is
not the first: `{"type": "message", "id", "phase", "length"}`, with its length in characters. Both
have their `output_index`, unless it is the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import MalformedResponseError
from ...types import CompletionResponse, Delta, StreamAccumulator, ToolCallDelta, Usage
from ..reading import (
    NOT_AN_ANSWER,
    arguments_in,
    count_in,
    error_words,
    name_in,
    not_an_answer,
    plausible,
    text_in,
)
from ..refusals import inner_status, refusal

_CALLS = frozenset({"function_call", "custom_tool_call"})
_FACTS = ("service_tier", "system_fingerprint", "content_filters")
_REASONS = {"max_output_tokens": "length", "max_tokens": "length"}


def parse_answer(data: Mapping[str, Any]) -> CompletionResponse:
    """Parse the JSON of a whole answer."""
    raise_failure(data)
    output = data.get("output")
    if not isinstance(output, list):
        raise MalformedResponseError("status 200, but the answer has no output", body=data)
    pieces = StreamAccumulator()
    try:
        for place, item in enumerate(output):
            for delta in (*_item_deltas(item, place), *kept(item, place)):
                list(pieces.feed(delta))
        list(pieces.feed(Delta(finish_reason=finish_reason(data))))
        return CompletionResponse(
            id=name_in(data.get("id")),
            model=name_in(data.get("model")) or "",
            choices=pieces.choices(),
            usage=read_usage(data.get("usage")),
            facts=read_facts(data),
            raw=data,
        )
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, data) from error


def _item_deltas(item: Mapping[str, Any], place: int) -> Iterator[Delta]:
    """Yield an item's content as the deltas of a stream."""
    match item["type"]:
        case "message":
            for part in item["content"]:
                yield Delta(
                    text=text_in(part.get("text")),
                    refusal=text_in(part.get("refusal")),
                    logprobs=read_logprobs(part.get("logprobs")),
                )
        case "reasoning":
            for order, part in enumerate(item.get("summary") or ()):
                gap = "\n\n" if order or place else ""
                yield Delta(reasoning=gap + text_in(part.get("text")))
            for part in item.get("content") or ():
                yield Delta(reasoning=text_in(part.get("text")))
        case "function_call":
            yield call_delta(item, place, arguments_in(item.get("arguments")))


def call_delta(item: Mapping[str, Any], place: int, arguments: str = "") -> Delta:
    """Return the delta that names the called function."""
    id = text_in(item.get("call_id")) or text_in(item.get("id")) or f"call_{place}"
    return Delta(tool_call=ToolCallDelta(place, id, text_in(item["name"]), arguments))


def kept(item: Mapping[str, Any], place: int) -> Iterator[Delta]:
    """Yield what is only known once an item is complete."""
    match text_in(item["type"]):
        case "message":
            yield from _marked(item, place)
        case "reasoning":
            yield _block({**item, "output_index": place})
        case "function_call":
            pass
        case "text":
            raise TypeError("an item of the answer is a mere text")
        case _:
            text_in(item.get("text"))
            yield Delta(part=item)


def _marked(item: Mapping[str, Any], place: int) -> Iterator[Delta]:
    parts = item["content"]
    if place or item.get("phase"):
        mark = {name: item.get(name) for name in ("type", "id", "phase")}
        length = sum(len(text_in(part.get("text"))) for part in parts)
        yield _block({**mark, "length": length, "output_index": place})
    notes = [note for part in parts for note in part.get("annotations") or ()]
    if notes:
        yield Delta(extra={"annotations": [(None, _note(note)) for note in notes]})


def _block(block: Mapping[str, Any]) -> Delta:
    told = {name: value for name, value in block.items() if value is not None}
    if not told["output_index"]:
        del told["output_index"]
    return Delta(extra={"thinking_blocks": [(None, told)]})


def _note(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an annotation; one of a web page gets the chat API's form."""
    if note.get("type") != "url_citation" or "url_citation" in note:
        return {**note}
    page = {name: value for name, value in note.items() if name != "type"}
    return {"type": "url_citation", "url_citation": page}


def finish_reason(data: Mapping[str, Any]) -> str:
    """Return why the model stopped; raise an error for an unfinished answer."""
    status = data.get("status", "completed")
    if status == "incomplete":
        reason = text_in((data.get("incomplete_details") or {}).get("reason"))
        return _REASONS.get(reason, reason) or "length"
    if status != "completed":
        raise TypeError(f"its status is {status!r:.80}")
    called = any(item.get("type") in _CALLS for item in data.get("output") or ())
    return "tool_calls" if called else "stop"


@plausible
def read_usage(usage: Mapping[str, Any] | None) -> Usage | None:
    """Parse the usage; `input_tokens` is the whole prompt, `output_tokens` includes reasoning."""
    if not usage:
        return None
    prompt = usage.get("input_tokens_details") or {}
    output = usage.get("output_tokens_details") or {}
    return Usage(
        input_tokens=count_in(usage.get("input_tokens")),
        output_tokens=count_in(usage.get("output_tokens")),
        total_tokens=count_in(usage.get("total_tokens")),
        input_tokens_cached=count_in(prompt.get("cached_tokens")),
        input_tokens_cache_write=count_in(prompt.get("cache_write_tokens")),
        reasoning_tokens=count_in(output.get("reasoning_tokens")),
    )


def read_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return further facts from the provider."""
    return {name: data[name] for name in _FACTS if data.get(name) is not None}


def read_logprobs(tokens: Any) -> dict[str, Any] | None:
    """Return log probabilities in the chat API's form; raise TypeError for anything else."""
    if not tokens:
        return None
    if not isinstance(tokens, list):
        raise TypeError(f"{tokens!r:.80} are not log probabilities")
    return {"content": tokens}


def raise_failure(data: Mapping[str, Any]) -> None:
    """Raise the error that came instead of an answer."""
    error = data.get("error")
    if not error and data.get("status") != "failed":
        return
    message, code = error_words({"error": error or "the model failed to answer"})
    raise refusal(inner_status(error), message, code=code, body=data)
