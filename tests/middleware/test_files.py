"""Files named in messages: read before the cache looks, for the caller alone."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from flashlite import ConfigError, Flashlite, MemoryCache
from flashlite.testing import ScriptedProvider
from flashlite.types import audio_part, file_part, image_part, text_part

PNG = b"\x89PNG\r\n\x1a\n..."
PNG_URI = f"data:image/png;base64,{b64encode(PNG).decode()}"


def base64(content: bytes) -> str:
    return b64encode(content).decode()


async def sent(content: Any, role: str = "user") -> Any:
    provider = ScriptedProvider(["ok"])
    await Flashlite("any", provider=provider).complete([{"role": role, "content": content}])
    return provider.requests[0].messages[0]["content"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "an image.jpg"
    path.write_bytes(PNG)
    return path


async def test_an_image_is_sent_as_what_it_is_whatever_its_name_says(image: Path) -> None:
    part = image_part(image.as_uri(), detail="low")
    assert await sent([text_part("What is it?"), part]) == [
        text_part("What is it?"),
        image_part(PNG_URI, detail="low"),
    ]


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://localhost{}"])
async def test_an_address_may_be_written_alone_and_in_every_form(image: Path, form: str) -> None:
    address = image.as_uri() if form == "{}" else form.format(image)
    part = {"type": "image_url", "image_url": address}
    assert await sent([part]) == [image_part(PNG_URI)]


async def test_an_address_alone_becomes_openais_object_on_the_web_too() -> None:
    part = {"type": "image_url", "image_url": "https://example.org/a.png"}
    assert await sent([part]) == [image_part("https://example.org/a.png")]


async def test_a_document_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"Hello")
    part = file_part(file_data=(tmp_path / "notes.txt").as_uri())
    uri = f"data:text/plain;base64,{base64(b'Hello')}"
    assert await sent([part]) == [file_part(file_data=uri, filename="notes.txt")]


async def test_a_document_keeps_the_name_that_the_caller_gave(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"%PDF-1.7")
    part = file_part(file_data=(tmp_path / "x").as_uri(), filename="paper.pdf")
    uri = f"data:application/pdf;base64,{base64(b'%PDF-1.7')}"
    assert await sent([part]) == [file_part(file_data=uri, filename="paper.pdf")]


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [("a.wav", b"RIFF....WAVEfmt ", "wav"), ("a.bin", b"ID3.", "mp3"), ("a.mp3", b"?", "mp3")],
)
async def test_sound_is_bare_base64_with_its_format(
    tmp_path: Path, name: str, content: bytes, format: Any
) -> None:
    (tmp_path / name).write_bytes(content)
    part = {"type": "input_audio", "input_audio": {"data": (tmp_path / name).as_uri()}}
    assert await sent([part]) == [audio_part(base64(content), format=format)]


async def test_a_file_that_nobody_knows_is_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"?")
    part = image_part((tmp_path / "x").as_uri())
    uri = f"data:application/octet-stream;base64,{base64(b'?')}"
    assert await sent([part]) == [image_part(uri)]


@pytest.mark.parametrize("role", ["assistant", "tool"])
async def test_what_a_model_or_a_tool_said_opens_no_file(image: Path, role: str) -> None:
    part = image_part(image.as_uri())
    assert await sent([part], role) == [part]


async def test_text_opens_no_file(image: Path) -> None:
    assert await sent(image.as_uri()) == image.as_uri()
    assert await sent([text_part(image.as_uri())]) == [text_part(image.as_uri())]


@pytest.mark.parametrize(
    "part",
    [
        {"type": ["image_url"], "image_url": {"url": "file:///x"}},
        {"type": "image_url", "image_url": None},
        {"type": "image_url", "image_url": {"url": 1}},
        {"type": "image_url"},
        {},
    ],
)
async def test_a_part_of_no_known_form_is_passed_on(part: Any) -> None:
    assert await sent([part]) == [part]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("file:///no/such/file.png", "cannot read /no/such/file.png, named in a message: No such"),
        ("file:///tmp", "cannot read /tmp, named in a message: Is a directory"),
        ("file:///a%00b", "named in a message: embedded null byte"),
        ("file://image.png", "a file's address has its whole path: file:///home/..."),
    ],
)
async def test_a_file_that_cannot_be_read_is_the_callers_matter(address: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await sent([image_part(address)])
    assert words in str(caught.value)


async def test_a_changed_file_is_a_changed_request(image: Path) -> None:
    provider = ScriptedProvider(["old", "new"])
    client = Flashlite("any", provider=provider, cache=MemoryCache())
    messages = [{"role": "user", "content": [image_part(image.as_uri())]}]

    async def ask() -> tuple[str, bool]:
        response = await client.complete(messages)
        return response.content, response.cached

    first = [await ask(), await ask()]
    assert await client.explain(messages) == []
    change(image)
    assert [*first, await ask()] == [("old", False), ("old", True), ("new", False)]


def change(image: Path) -> None:
    image.write_bytes(b"GIF89a")


async def test_the_callers_messages_are_left_as_they_are(image: Path) -> None:
    content = [image_part(image.as_uri())]
    await sent(content)
    assert content == [image_part(image.as_uri())]
