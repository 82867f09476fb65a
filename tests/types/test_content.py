from typing import Any

import pytest

from flashlite.types import (
    Part,
    audio_part,
    file_part,
    image_part,
    is_base64,
    text_part,
    without_media,
)

URI = "data:image/png;base64,iVBORw0KGgo="
SOUND = "UklGR" * 100


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        (text_part("Hi"), {"type": "text", "text": "Hi"}),
        (image_part(URI), {"type": "image_url", "image_url": {"url": URI}}),
        (
            image_part(URI, detail="low"),
            {"type": "image_url", "image_url": {"url": URI, "detail": "low"}},
        ),
        (
            audio_part(SOUND, format="wav"),
            {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}},
        ),
        (
            file_part(file_data=URI, filename="a.png"),
            {"type": "file", "file": {"file_data": URI, "filename": "a.png"}},
        ),
        (file_part(file_id="file-1"), {"type": "file", "file": {"file_id": "file-1"}}),
    ],
)
def test_a_part_is_in_the_wire_form_of_openai(part: Part, wire: dict[str, Any]) -> None:
    assert part == wire


@pytest.mark.parametrize(
    ("key", "value", "is_media"),
    [
        ("url", URI, True),
        (None, URI, True),
        ("data", SOUND, True),
        ("data", "x" * 257, True),
        ("data", "x" * 255, False),
        ("data", "a long text " * 50, False),
        ("text", SOUND, False),
        ("url", "https://example.org/a.png", False),
        ("text", "write data:image/png;base64, before it", False),
        ("url", "data:text/plain,hello", False),
        ("data", None, False),
        ("data", [1, 2, 3], False),
    ],
)
def test_inline_media_is_told_from_text(key: str | None, value: Any, is_media: bool) -> None:
    assert is_base64(key, value) is is_media


def test_media_leave_a_note_and_everything_else_stays() -> None:
    parts = [text_part("Hi"), image_part(URI), audio_part(SOUND, format="wav")]
    value = {"messages": ({"role": "user", "content": parts},), "n": 1, "seed": None}
    assert without_media(value) == {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi"},
                    {"type": "image_url", "image_url": {"url": "<base64-data-removed>"}},
                    {
                        "type": "input_audio",
                        "input_audio": {"data": "<base64-data-removed>", "format": "wav"},
                    },
                ],
            }
        ],
        "n": 1,
        "seed": None,
    }
    assert parts[1] == image_part(URI)
