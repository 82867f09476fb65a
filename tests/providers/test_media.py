"""Media by URL, for hosts whose API takes none: fetched, and sent in its place."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import APIConnectionError, APITimeoutError, BadRequestError, CompletionError
from flashlite.middleware import RetryConfig
from flashlite.providers.hosts import HOSTS
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import file_part, image_part
from flashlite.wire import WireRequest

URL = "https://example.org/pictures/cat.png?token=secret"
PNG = b"\x89PNG\r\n\x1a\n..."
ANSWER = Reply.of({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]})


def file(*chunks: bytes | BaseException, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, chunks=chunks)


def uri(content: bytes, type: str) -> str:
    return f"data:{type};base64,{b64encode(content).decode()}"


async def ask(*replies: Any, part: Any = None, role: str = "user") -> list[WireRequest]:
    transport = ReplayTransport(replies)
    client = Flashlite("ollama/m", transport=transport, retry=RetryConfig(max_attempts=1))
    await client.complete([{"role": role, "content": [part or image_part(URL)]}], timeout=7)
    return transport.requests


async def failure(*replies: Any) -> CompletionError:
    with pytest.raises(CompletionError) as caught:
        await ask(*replies)
    return caught.value


def content(request: WireRequest) -> Any:
    return request.json["messages"][0]["content"]


def test_the_local_servers_that_take_no_urls() -> None:
    local = {host.name for host in HOSTS if "localhost" in str(host.base_url)}
    assert {host.name for host in HOSTS if host.inlines_urls} & local == {"ollama", "lmstudio"}


async def test_an_image_is_fetched_and_sent_in_its_place() -> None:
    get, post = await ask(file(PNG[:5], PNG[5:], content_type="image/jpeg"), ANSWER)
    assert (get.url, get.method, get.timeout.total, dict(get.headers)) == (URL, "GET", 7, {})
    assert content(post) == [image_part(uri(PNG, "image/png"))]


@pytest.mark.parametrize(
    ("headers", "type"),
    [
        ({"content_type": "Image/AVIF; q=1"}, "image/avif"),
        ({"content_type": "application/octet-stream"}, "image/png"),
        ({}, "image/png"),
    ],
)
async def test_the_type_of_unknown_bytes_is_what_the_server_says_or_the_name(
    headers: dict[str, str], type: str
) -> None:
    _, post = await ask(file(b"?", **headers), ANSWER)
    assert content(post) == [image_part(uri(b"?", type))]


async def test_a_document_gets_its_name() -> None:
    part = file_part(file_data="http://example.org/a/paper.pdf")
    _, post = await ask(file(b"%PDF-1.7"), ANSWER, part=part)
    data = uri(b"%PDF-1.7", "application/pdf")
    assert content(post) == [file_part(file_data=data, filename="paper.pdf")]


async def test_an_address_is_fetched_once() -> None:
    transport = ReplayTransport([file(PNG), ANSWER])
    parts = [image_part(URL), image_part(URL)]
    await Flashlite("ollama/m", transport=transport).complete([{"role": "user", "content": parts}])
    assert content(transport.requests[1]) == [image_part(uri(PNG, "image/png"))] * 2


async def test_a_redirection_is_followed() -> None:
    first = file(status=302, location="/b.png")
    second = file(status=301, location="http://other.example/c.png")
    *gets, _ = await ask(first, second, file(PNG), ANSWER)
    assert [get.url for get in gets] == [
        URL,
        "https://example.org/b.png",
        "http://other.example/c.png",
    ]


@pytest.mark.parametrize("location", ["/again", "file:///etc/passwd", "http://[", ""])
async def test_a_redirection_that_leads_nowhere_is_an_error(location: str) -> None:
    error = await failure(*[file(status=302, location=location)] * 6)
    assert str(error) == (
        "ollama/m: cannot use https://example.org/pictures/cat.png: "
        "it is redirected too often, or out of the web"
    )


async def test_what_is_not_there_is_the_callers_matter() -> None:
    error = await failure(file(b"<html>", status=404))
    assert (type(error), error.retryable) == (BadRequestError, False)
    assert str(error) == "ollama/m: cannot use https://example.org/pictures/cat.png: status 404"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_server_that_fails_may_be_asked_again(status: int) -> None:
    error = await failure(file(status=status))
    assert (type(error), error.retryable) == (APIConnectionError, True)
    assert (error.may_be_billed, str(error)) == (
        False,
        f"ollama/m: could not fetch https://example.org/pictures/cat.png: status {status}",
    )


@pytest.mark.parametrize("kind", [APIConnectionError, APITimeoutError])
@pytest.mark.parametrize("place", ["at once", "in the middle"])
async def test_a_connection_that_breaks_names_the_address(
    kind: type[CompletionError], place: str
) -> None:
    error = kind("it broke")
    caught = await failure(error if place == "at once" else file(PNG, error))
    assert (type(caught), caught.retryable, caught.may_be_billed) == (kind, True, False)
    assert str(caught) == (
        "ollama/m: could not fetch https://example.org/pictures/cat.png: it broke"
    )


async def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    piece = bytes(2**20)
    unread = AssertionError("read too far")
    error = await failure(file(*[piece] * 51, unread))
    assert str(error).endswith("cat.png: it is larger than 50 MB")


@pytest.mark.parametrize(("role", "said"), [("assistant", None), ("tool", [image_part(URL)])])
async def test_what_a_model_or_a_tool_said_opens_no_address(role: str, said: Any) -> None:
    (post,) = await ask(ANSWER, role=role)
    assert content(post) == said


async def test_a_host_that_takes_urls_gets_them() -> None:
    transport = ReplayTransport([ANSWER])
    message = {"role": "user", "content": [image_part(URL)]}
    await Flashlite("vllm/m", transport=transport).complete([message])
    assert content(transport.requests[0]) == [image_part(URL)]
