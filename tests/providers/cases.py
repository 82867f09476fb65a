"""The cases in wire/*.json, and how a value of ours is written down in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from flashlite.errors import APIConnectionError
from flashlite.testing import Reply
from flashlite.types import (
    CompletionResponse,
    StreamEvent,
    StreamEventType,
    ToolCall,
    ToolCallDelta,
    Usage,
)

WIRE = Path(__file__).parent / "wire"


def load(folder: str) -> list[Any]:
    """Return the cases of a folder, each a parameter named by its file and itself."""
    return [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted((WIRE / folder).glob("*.json"))
        for case in json.loads(path.read_text("utf-8"))
    ]


_TRAVELS = ("duration", "headers", "latency", "raw")


def plain(value: Any) -> Any:
    """Write a value as JSON, without what a fresh one of its class would say too.

    Left out of a response is how it travelled: headers, latency and the JSON that it came from.
    """
    match value:
        case CompletionResponse():
            told = {
                name: getattr(value, name)
                for name, default in _defaults(CompletionResponse).items()
                if getattr(value, name) != default and name not in _TRAVELS
            }
            choices = [choice.to_dict() for choice in value.choices]
            return (
                told | {"choices": choices} | ({"usage": plain(value.usage)} if value.usage else {})
            )
        case Usage() | ToolCallDelta():
            return {
                name: getattr(value, name)
                for name, default in _defaults(type(value)).items()
                if getattr(value, name) != default
            }
        case ToolCall():
            return value.to_dict()
        case StreamEvent(type=StreamEventType.DONE):
            return ["done"]
        case StreamEvent():
            return [value.type.value, plain(value.data), value.index]
        case _:
            return value


def event_stream(chunks: Iterable[Any]) -> Reply:
    """Build a stream: JSON is the data of an event, text stands as it is, null is a broken line."""
    return Reply(
        headers={"content-type": "text/event-stream; charset=utf-8"},
        chunks=tuple(_chunk(chunk) for chunk in chunks),
    )


def _chunk(chunk: Any) -> bytes | BaseException:
    if chunk is None:
        return APIConnectionError("the connection broke")
    text = chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk, ensure_ascii=False)}"
    return f"{text}\n\n".encode()


def _defaults(kind: Any) -> dict[str, Any]:
    return {
        field.name: field.default_factory()
        if field.default_factory is not MISSING
        else field.default
        for field in fields(kind)
        if not field.name.startswith("_")
    }


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "type", "name", "error", "x"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def spoiled(value: Any) -> st.SearchStrategy[Any]:
    """Put any JSON in the place of any one part of a value."""
    return st.sampled_from(list(_places(value))).flatmap(
        lambda place: JSON.map(lambda junk: _replaced(value, place, junk))
    )


def _places(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from ((key, *place) for place in _places(value[key]))


def _replaced(value: Any, place: tuple[Any, ...], junk: Any) -> Any:
    if not place:
        return junk
    copy = value.copy()
    copy[place[0]] = _replaced(value[place[0]], place[1:], junk)
    return copy


def check_answer(response: CompletionResponse) -> None:
    """Fail unless everything about an answer is of the kind that it says."""
    assert json.loads(json.dumps(response.to_dict())) == response.to_dict()
    assert isinstance(response.model, str)
    assert isinstance(response.id, str | None)
    assert isinstance(response.content, str)
    assert isinstance(response.reasoning, str | None)
    assert isinstance(response.refusal, str | None)
    for choice in response.choices:
        assert isinstance(choice.index, int)
        assert isinstance(choice.finish_reason, str | None)
        for call in choice.message.tool_calls or ():
            assert [type(text) for text in (call.id, call.name, call.arguments_json)] == [str] * 3
    if response.usage is not None:
        told = response.usage.to_dict()
        assert {type(told[name]) for name in told if "tokens" in name} == {int}
        assert isinstance(response.cost, int | float | None)
