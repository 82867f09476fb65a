"""Answers as bytes for a store, and back."""

from __future__ import annotations

import json
import logging
from typing import Any

from ..schema import InvalidAnswer, validate
from ..stores import Entry, Similar
from ..types import CompletionResponse, json_bytes

log = logging.getLogger("flashlite.cache")


def is_worth_keeping(response: CompletionResponse) -> bool:
    """Return whether an answer is final: no refusal, and every choice has finished."""
    return not response.refusal and all(
        choice.finish_reason not in (None, "content_filter") for choice in response.choices
    )


def write_answer(response: CompletionResponse) -> bytes:
    """Return the answer as JSON."""
    answer = response.to_dict()
    if any(choice.logprobs for choice in response.choices):
        return json.dumps(answer).encode()  # it may contain -Infinity
    return json_bytes.dumps(answer)


def read_answer(entry: Entry, response_model: type[Any] | None) -> CompletionResponse | None:
    """Return a new answer that cost nothing, or None if the entry does not fit."""
    try:
        answer = CompletionResponse.from_dict(json_bytes.loads(entry.response))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("a stored answer cannot be read and is asked for again: %r", error)
        return None
    if response_model is not None and not _fits(answer, response_model):
        return None
    paid = answer.usage
    answer.cached = True
    answer.usage, answer.wasted = paid and paid.costing(0.0, 0.0), None
    answer.lineage = {
        "key": entry.key,
        "created": entry.created,
        "cost": paid.total_cost if paid else None,
    }
    if isinstance(entry, Similar):
        answer.lineage |= {"similarity": entry.similarity, "question": entry.question}
    return answer


def _fits(answer: CompletionResponse, response_model: type[Any]) -> bool:
    """Parse the answer again; the model's validation may have changed since it was stored."""
    if answer.has_tool_calls or answer.refusal:
        return True
    try:
        answer.parsed = validate(response_model, answer.content)
    except InvalidAnswer:
        return False
    return True
