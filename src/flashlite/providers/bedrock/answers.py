"""Parsing Converse's answers: a message in blocks, the stop reason, and the usage.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...errors import MalformedResponseError
from ...types import Choice, CompletionResponse, Message, ToolCall, Usage, image_part
from ..reading import (
    NOT_AN_ANSWER,
    arguments_in,
    count_in,
    name_in,
    not_an_answer,
    plausible,
    text_in,
)

Json = Mapping[str, Any]

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "refusal": "content_filter",
}
_FACTS = {
    "trace": "trace",
    "performanceConfig": "performance_config",
    "additionalModelResponseFields": "additional_fields",
}


def parse_answer(body: Json) -> CompletionResponse:
    """Parse the JSON of a whole answer."""
    try:
        told = facts_of(body)
        return CompletionResponse(
            model=told.pop("model", ""),
            choices=(_choice(body),),
            usage=usage_of(body.get("usage")),
            facts=told | stop_facts(body),
            raw=body,
        )
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, body) from error


def finish_reason_of(told: Json) -> str:
    """Return why the model stopped; raise MalformedResponseError for malformed output."""
    reason = text_in(told["stopReason"])
    if reason.startswith("malformed_"):  # malformed_model_output, malformed_tool_use
        raise MalformedResponseError(f"the model broke the answer off: {reason}", body=told)
    return _FINISH_REASONS.get(reason, reason)


def stop_facts(told: Json) -> dict[str, Any]:
    """Return AWS's own stop reason if it is more specific: a guardrail, a full context."""
    reason = told["stopReason"]
    is_plain = reason in ("end_turn", "tool_use", "max_tokens")
    return {} if is_plain else {"stop_reason": reason}


@plausible
def usage_of(usage: Json | None) -> Usage | None:
    """Return the tokens; AWS counts cache reads and writes separately from the input."""
    if not usage:
        return None
    read = count_in(usage.get("cacheReadInputTokens"))
    written = count_in(usage.get("cacheWriteInputTokens"))
    hours = [kept for kept in usage.get("cacheDetails") or () if kept.get("ttl") == "1h"]
    return Usage(
        input_tokens=count_in(usage.get("inputTokens")) + read + written,
        output_tokens=count_in(usage.get("outputTokens")),
        input_tokens_cached=read,
        input_tokens_cache_write=written,
        input_tokens_cache_write_1h=sum(count_in(kept.get("inputTokens")) for kept in hours),
    )


def facts_of(told: Json) -> dict[str, Any]:
    """Return further facts from AWS, such as the model that a prompt router chose."""
    facts = {name: told[key] for key, name in _FACTS.items() if told.get(key)}
    latency = (told.get("metrics") or {}).get("latencyMs")
    tier = name_in((told.get("serviceTier") or {}).get("type"))
    router = (told.get("trace") or {}).get("promptRouter") or {}
    known = {"latency_ms": latency, "service_tier": tier, "model": _id(router)}
    return facts | {name: value for name, value in known.items() if value is not None}


def annotation_of(citation: Json) -> dict[str, Any]:
    """Return a citation of a web page in OpenAI's form, any other unchanged."""
    web = (citation.get("location") or {}).get("web")
    if web is None:
        return {"type": "citation", "citation": citation}
    found = {"url": text_in(web.get("url")), "title": text_in(citation.get("title"))}
    return {"type": "url_citation", "url_citation": found}


def is_ours(use: Json) -> bool:
    """Return whether a call is for the caller's tools; AWS runs its own tools itself."""
    return use.get("type") != "server_tool_use"


def _choice(body: Json) -> Choice:
    blocks = list(body["output"]["message"]["content"])
    answer = Message.assistant(_content(_said(blocks)), tool_calls=_calls(blocks))
    thoughts = [thought for block in blocks for thought in _thoughts(block)]
    cited = [block["citationsContent"] for block in blocks if "citationsContent" in block]
    extra = {
        "reasoning_content": "".join(thought.get("thinking", "") for thought in thoughts),
        "thinking_blocks": thoughts,
        "annotations": [annotation_of(c) for one in cited for c in one.get("citations") or ()],
    }
    answer.update({name: value for name, value in extra.items() if value})
    return Choice(message=answer, finish_reason=finish_reason_of(body))


def _said(blocks: Iterable[Json]) -> Iterator[str | Json]:
    """Yield texts, and parts that are not text."""
    for block in blocks:
        if "text" in block:
            yield text_in(block["text"])
        elif "citationsContent" in block:
            for piece in block["citationsContent"].get("content") or ():
                yield text_in(piece.get("text"))
        elif "image" in block:
            image = block["image"]
            base64 = text_in(image["source"]["bytes"])
            yield image_part(f"data:image/{text_in(image['format'])};base64,{base64}")


def _content(said: Iterable[str | Json]) -> str | list[Json] | None:
    pieces = list(said)
    parts = [piece for piece in pieces if not isinstance(piece, str)]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    if parts:
        return [*([{"type": "text", "text": text}] if text else []), *parts]
    return text or None


def _calls(blocks: Iterable[Json]) -> list[ToolCall]:
    uses = [block["toolUse"] for block in blocks if "toolUse" in block]
    return [
        ToolCall(
            text_in(use.get("toolUseId")) or f"call_{position}",
            text_in(use["name"]),
            arguments_in(use.get("input")),
        )
        for position, use in enumerate(use for use in uses if is_ours(use))
    ]


def _thoughts(block: Json) -> Iterator[dict[str, Any]]:
    """Yield a reasoning block in Anthropic's form, which can be sent back to either API."""
    thought = block.get("reasoningContent")
    if thought is None:
        return
    if (redacted := thought.get("redactedContent")) is not None:
        yield {"type": "redacted_thinking", "data": text_in(redacted)}
        return
    told = thought["reasoningText"]
    signed = {"signature": text_in(told["signature"])} if told.get("signature") else {}
    yield {"type": "thinking", "thinking": text_in(told.get("text")), **signed}


def _id(router: Json) -> str | None:
    return name_in(router.get("invokedModelId"))
