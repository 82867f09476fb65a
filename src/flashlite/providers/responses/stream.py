"""Parsing the events of a streamed answer; events of other kinds are not needed.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ...types import Delta, ToolCallDelta
from ..reading import NOT_AN_ANSWER, arguments_in, name_in, not_an_event, text_in
from .answers import (
    call_delta,
    finish_reason,
    kept,
    raise_failure,
    read_facts,
    read_logprobs,
    read_usage,
)

Event = Mapping[str, Any]


def parse_event(data: Event) -> list[Delta]:
    """Parse the JSON of one event of a stream."""
    kind = data.get("type")
    if kind == "error" and not data.get("error"):
        raise_failure({"error": {name: data.get(name) for name in ("code", "message")}})
    raise_failure(data)
    read = _READERS.get(kind) if isinstance(kind, str) else None
    try:
        return [] if read is None else list(read(data))
    except NOT_AN_ANSWER as error:
        raise not_an_event(error, data) from error


def _created(event: Event) -> Iterable[Delta]:
    told = {name: name_in(event["response"].get(name)) for name in ("id", "model")}
    yield Delta(index=None, facts={name: value for name, value in told.items() if value})


def _added(event: Event) -> Iterable[Delta]:
    item = event["item"]
    if item.get("type") == "function_call":
        yield call_delta(item, _output_index(event), arguments_in(item.get("arguments")))


def _output_index(event: Event) -> int:
    """Return an item's index; a server that omits it sends items one after another."""
    place = event.get("output_index")
    return place if isinstance(place, int) else 0


def _text(event: Event) -> Iterable[Delta]:
    yield Delta(text=text_in(event.get("delta")), logprobs=read_logprobs(event.get("logprobs")))


def _refusal(event: Event) -> Iterable[Delta]:
    yield Delta(refusal=text_in(event.get("delta")))


def _reasoning(event: Event) -> Iterable[Delta]:
    yield Delta(reasoning=text_in(event.get("delta")))


def _next_thought(event: Event) -> Iterable[Delta]:
    if event.get("summary_index") or event.get("output_index"):
        yield Delta(reasoning="\n\n")


def _arguments(event: Event) -> Iterable[Delta]:
    yield Delta(
        tool_call=ToolCallDelta(_output_index(event), arguments=text_in(event.get("delta")))
    )


def _done(event: Event) -> Iterable[Delta]:
    return kept(event["item"], _output_index(event))


def _finished(event: Event) -> Iterator[Delta]:
    response = event["response"]
    raise_failure(response)
    yield Delta(finish_reason=finish_reason(response))
    yield from _created(event)
    yield Delta(index=None, facts=read_facts(response))
    if (usage := read_usage(response.get("usage"))) is not None:
        yield Delta(index=None, usage=usage)


def _failed(event: Event) -> Iterable[Delta]:
    raise_failure({**event["response"], "status": "failed"})
    return ()


_READERS: dict[str, Callable[[Event], Iterable[Delta]]] = {
    "response.created": _created,
    "response.output_item.added": _added,
    "response.output_text.delta": _text,
    "response.refusal.delta": _refusal,
    "response.reasoning_summary_part.added": _next_thought,
    "response.reasoning_summary_text.delta": _reasoning,
    "response.reasoning_text.delta": _reasoning,
    "response.function_call_arguments.delta": _arguments,
    "response.output_item.done": _done,
    "response.completed": _finished,
    "response.incomplete": _finished,
    "response.failed": _failed,
}
