"""Parsing answers, and the events of `blocks.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...types import CompletionResponse, Delta, StreamAccumulator, ToolCallDelta, Usage
from ..reading import (
    NOT_AN_ANSWER,
    count_in,
    error_words,
    mapping_in,
    name_in,
    not_an_answer,
    plausible,
    text_in,
)
from ..refusals import inner_status, refusal
from .blocks import Blocks

# Source: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons. An answer
# that pauses has to be sent back to continue, so it is as unfinished as one that was cut off.
_FINISH_REASONS = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
_PLAIN_REASONS = frozenset({"end_turn", "max_tokens", "tool_use"})
_FACTS = ("container", "context_management", "stop_details", "stop_sequence")


def parse_message(data: Mapping[str, Any]) -> CompletionResponse:
    """Parse a whole answer, like a stream whose blocks come in one piece each."""
    _raise_error(data)
    pieces, blocks = StreamAccumulator(), Blocks()
    used: Usage | None = None
    try:
        for event in _events(data):
            for told in blocks.read(event):
                for delta in deltas_in(told):
                    used = delta.usage or used
                    list(pieces.feed(delta))
        return CompletionResponse(
            id=name_in(data.get("id")),
            model=name_in(data.get("model")) or "",
            choices=pieces.so_far(),
            usage=used,
            facts=pieces.facts,
            raw=data,
        )
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, data) from error


def deltas_in(event: Mapping[str, Any]) -> Iterator[Delta]:
    """Parse an event that needs no context; one of an unknown type yields nothing."""
    _raise_error(event)
    match event.get("type"):
        case "message_start":
            yield from _opening(event["message"])
        case "content_block_start":
            yield Delta(tool_call=_call(event["index"], event["content_block"]))
        case "content_block_delta":
            yield from _gain(event["index"], event["delta"])
        case "part":
            text_in(event["part"].get("text"))
            yield Delta(part=event["part"])
        case "item":
            yield Delta(extra={event["list"]: [(None, event["item"])]})
        case "message_delta":
            yield from _closing(event)
        case "content_block_stop":
            raise TypeError("the host's stream_parser is not BlockParser")


@plausible
def usage_in(usage: Mapping[str, Any] | None) -> Usage | None:
    """Parse the usage; compaction steps are billed, but not included in the API's total.

    Source: https://platform.claude.com/docs/en/build-with-claude/compaction.
    """
    if not usage:
        return None
    steps = usage.get("iterations") or ()
    return sum((_used(step) for step in steps if step["type"] == "compaction"), _used(usage))


def _used(usage: Mapping[str, Any]) -> Usage:
    """Return the tokens; Anthropic counts cache reads and writes separately from the input."""
    read = count_in(usage.get("cache_read_input_tokens"))
    written = count_in(usage.get("cache_creation_input_tokens"))
    kept = usage.get("cache_creation") or {}
    return Usage(
        input_tokens=count_in(usage.get("input_tokens")) + read + written,
        output_tokens=count_in(usage.get("output_tokens")),
        input_tokens_cached=read,
        input_tokens_cache_write=written,
        input_tokens_cache_write_1h=count_in(kept.get("ephemeral_1h_input_tokens")),
        reasoning_tokens=count_in(
            (usage.get("output_tokens_details") or {}).get("thinking_tokens")
        ),
    )


def _events(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = data["content"]
    if not isinstance(content, list):
        raise TypeError(f"{content!r:.80} is not a list of blocks")
    for index, block in enumerate(content):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": data, "usage": data.get("usage")}


def _opening(message: Mapping[str, Any]) -> Iterator[Delta]:
    told = {name: name_in(message.get(name)) for name in ("id", "model")}
    yield Delta(index=None, facts={name: value for name, value in told.items() if value})
    if (usage := usage_in(message.get("usage"))) is not None:
        yield Delta(index=None, usage=usage)


def _gain(index: int, delta: Mapping[str, Any]) -> Iterator[Delta]:
    match delta["type"]:
        case "text_delta":
            yield Delta(text=text_in(delta["text"]))
        case "thinking_delta":
            yield Delta(reasoning=text_in(delta["thinking"]))
        case "input_json_delta":
            yield Delta(tool_call=ToolCallDelta(index, arguments=text_in(delta["partial_json"])))


def _call(number: int, block: Mapping[str, Any]) -> ToolCallDelta:
    return ToolCallDelta(
        number, text_in(block.get("id")) or f"call_{number}", text_in(block["name"])
    )


def _closing(event: Mapping[str, Any]) -> Iterator[Delta]:
    delta, usage = event["delta"], mapping_in(event.get("usage"))
    reason = text_in(delta.get("stop_reason")) or None
    told = {name: delta.get(name, event.get(name)) for name in _FACTS}
    told["server_tool_use"] = usage.get("server_tool_use")
    told["service_tier"] = name_in(usage.get("service_tier"))
    told["stop_reason"] = None if reason in _PLAIN_REASONS else reason
    facts = {name: value for name, value in told.items() if value is not None}
    yield Delta(index=None, facts=facts, usage=usage_in(usage))
    details = delta.get("stop_details") or {}
    yield Delta(
        refusal=text_in(details.get("explanation")) if reason == "refusal" else "",
        finish_reason=reason and _FINISH_REASONS.get(reason, reason),
    )


def _raise_error(data: Mapping[str, Any]) -> None:
    """Raise the error inside a stream, or inside a 200."""
    if data.get("type") == "error" or data.get("error"):
        message, code = error_words(data)
        raise refusal(inner_status(data.get("error")), message, code=code, body=data)
