"""Which logged answers can be replayed, and whether the replay equals the original."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from inspect_ai.event import ModelEvent
from inspect_ai.model import (
    ChatCompletionChoice,
    Content,
    ContentReasoning,
    ContentText,
    ModelOutput,
)

from ..types import REMOVED

_WHOLE = ("stop", "tool_calls", "max_tokens")
_MISSING = re.compile(r"attachment://[0-9a-f]{32}|" + REMOVED)


def obstacle(event: ModelEvent) -> str | None:
    """Return why the answer of a call may not be replayed; None if it may."""
    output = event.output
    told = (output.metadata or {}).get("flashlite") or {}
    reasons = {
        "ended in an error": event.error is not None or output.error is not None,
        "were still running": bool(event.pending),
        "have no answer": not output.choices,
        "came from a cache: import the log of the run that asked": event.cache == "read",
        "were answered by a fallback": output.fallback is not None or "fallback_from" in told,
        "have an answer that did not fit the schema": "unfit" in told,
        "were refused": any(map(_is_refused, output.choices)),
        "were not answered to the end": any(c.stop_reason not in _WHOLE for c in output.choices),
    }
    if reason := next((reason for reason, holds in reasons.items() if holds), None):
        return reason
    return "have media or texts that the log left out" if _lacks_something(event) else None


def is_the_same(recorded: ModelOutput, again: ModelOutput) -> bool:
    """Whether two answers are the same for scorers, tools and later calls."""
    return [_comparable(choice) for choice in recorded.choices] == [
        _comparable(c) for c in again.choices
    ]


def _is_refused(choice: ChatCompletionChoice) -> bool:
    content = choice.message.content
    return choice.stop_reason == "content_filter" or (
        not isinstance(content, str)
        and any(isinstance(part, ContentText) and part.refusal for part in content)
    )


def _lacks_something(event: ModelEvent) -> bool:
    told = (*event.input, *event.tools, event.output)
    return any(_MISSING.search(part.model_dump_json()) for part in told)


def _comparable(choice: ChatCompletionChoice) -> Any:
    message = choice.message
    calls = [(c.id, c.function, c.arguments, c.parse_error) for c in message.tool_calls or ()]
    logprobs = choice.logprobs and choice.logprobs.model_dump(exclude_none=True)
    return list(_parts(message.content)), calls, choice.stop_reason, logprobs


def _parts(content: str | list[Content]) -> Iterator[Any]:
    """Yield the parts of an answer; consecutive plain texts are joined, as Inspect reads them."""
    parts = [ContentText(text=content)] if isinstance(content, str) else content
    for is_plain, run in groupby(parts, key=_is_plain):
        if is_plain:
            texts = [part.text for part in run if isinstance(part, ContentText) and part.text]
            yield from ["\n".join(texts)] if texts else []
        else:
            yield from map(_part, run)


def _is_plain(part: Content) -> bool:
    return isinstance(part, ContentText) and not (part.refusal or part.citations)


def _part(part: Content) -> dict[str, Any]:
    told = part.model_dump(exclude_none=True)
    if isinstance(part, ContentReasoning) and isinstance(part.internal, str):
        del told["internal"]  # the field in which an OpenAI-compatible server returned it
    return told
