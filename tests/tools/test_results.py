"""What came of a call: the value, and what the model reads of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import ConfigError, ToolCall, ToolResult, audio_part, image_part, text_part

IMAGE = image_part("data:image/png;base64,AA==")


class Colour(Enum):
    RED = "red"


class Hit(BaseModel):
    title: str
    at: Path


@dataclass
class Point:
    x: int


class Table:
    def __str__(self) -> str:
        return "a b\n1 2"

    def __repr__(self) -> str:  # names a test, so without an address
        return "Table()"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("plain", "plain"),
        ("", ""),
        ("half \ud83d an emoji", "half ? an emoji"),
        (None, "null"),
        (True, "true"),
        (4, "4"),
        (float("nan"), "NaN"),
        (["a", 1], '["a",1]'),
        ({"größe": 1.5}, '{"größe":1.5}'),
        (Hit(title="x", at=Path("a/b")), '{"title":"x","at":"a/b"}'),
        ([Point(1)], '[{"x":1}]'),
        ({"colour": Colour.RED, "day": date(2026, 1, 2)}, '{"colour":"red","day":"2026-01-02"}'),
        (date(2026, 1, 2), "2026-01-02"),
        (Colour.RED, "red"),
        (Table(), "a b\n1 2"),
        (b"bytes", "bytes"),
        ([], "[]"),
        ({"type": "file", "path": "a"}, '{"type":"file","path":"a"}'),
        ([text_part("a"), 5], '[{"type":"text","text":"a"},5]'),
    ],
    ids=repr,
)  # fmt: skip
def test_the_model_reads_text_or_json(content: Any, said: str) -> None:
    result = ToolResult(content=content, name="f", call_id="1")
    assert (result.to_string(), result.success, result.error) == (said, True, None)
    assert result.result is content
    expected = {"role": "tool", "content": said, "tool_call_id": "1", "name": "f"}
    assert result.to_message() == expected


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (IMAGE, [IMAGE]),
        ([text_part("see"), IMAGE], [text_part("see"), IMAGE]),
        (("see", IMAGE), [text_part("see"), IMAGE]),
        ([audio_part("AA==", format="wav")], [audio_part("AA==", format="wav")]),
    ],
    ids=repr,
)
def test_parts_stay_parts(content: Any, parts: list[Any]) -> None:
    result = ToolResult(content=content)
    assert result.to_message(ToolCall("9", "g")) == {
        "role": "tool",
        "content": parts,
        "tool_call_id": "9",
        "name": "g",
    }
    assert result.to_string() == "".join(part.get("text", "") for part in parts)


def test_an_error_is_what_the_model_reads() -> None:
    result = ToolResult(content="half of it", error="it broke", name="f", call_id="1")
    assert (result.success, result.to_string()) == (False, "Error: it broke")


def test_what_the_model_reads_is_settled_when_the_result_is_made() -> None:
    rows = [1]
    result = ToolResult(content=rows)
    rows.append(2)
    assert result.to_string() == "[1]"


def test_what_json_cannot_say_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    # An address in memory tells a model nothing, and would make every prompt another one.
    for content in (circle, b"\xff", ["\ud83d"], object(), {"at": [object()]}):
        with pytest.raises(ConfigError, match="a result is text, parts or what JSON can say: "):
            ToolResult(content=content)
