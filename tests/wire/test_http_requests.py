import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from dirty_equals import IsStr

from flashlite.errors import APIConnectionError, ConfigError
from flashlite.wire import AiohttpTransport

from .raw_server import (
    OK,
    UNFINISHED_CHUNKS,
    Reader,
    Received,
    ask,
    free_port,
    read,
    serving,
    stream,
    then,
)

both_ways = pytest.mark.parametrize("body_of", [read, stream])


async def test_a_request_is_posted_as_json(transport: AiohttpTransport) -> None:
    async with serving(OK) as server:
        request = ask(server.url, {"text": "ä", "n": 1}, headers={"Authorization": "Bearer k"})
        await read(await transport.send(request))
    assert server.requests == [
        Received(
            "POST /v1 HTTP/1.1",
            {
                "host": f"127.0.0.1:{server.port}",
                "authorization": "Bearer k",
                "content-type": "application/json",
                "content-length": "19",
                "accept": "*/*",
                "accept-encoding": IsStr(),
                "user-agent": IsStr(),
            },
            '{"text":"ä","n":1}'.encode(),
        )
    ]


async def test_a_body_in_pieces_arrives_in_one(transport: AiohttpTransport) -> None:
    pieces = [b"line %d\n" % number for number in range(30_000)]
    async with serving(OK) as server:
        await read(await transport.send(replace(ask(server.url), pieces=pieces)))
    [received] = server.requests
    assert received.body == b"".join(pieces)
    assert received.headers["content-length"] == str(len(received.body))
    assert "transfer-encoding" not in received.headers


async def test_a_header_of_the_request_goes_before_ours(transport: AiohttpTransport) -> None:
    async with serving(OK) as server:
        request = ask(server.url, headers={"Content-Type": "application/vnd.example+json"})
        await read(await transport.send(request))
    assert server.requests[0].headers["content-type"] == "application/vnd.example+json"


@pytest.mark.parametrize(
    "body", [{"text": "half an emoji: \ud83d"}, {"seed": 2**64}, {"nested": {1: [None, 0.5]}}]
)
async def test_whatever_json_can_say_arrives(transport: AiohttpTransport, body: Any) -> None:
    async with serving(OK) as server:
        await read(await transport.send(ask(server.url, body)))
    assert json.loads(server.requests[0].body) == json.loads(json.dumps(body))


async def test_what_json_cannot_say_is_refused_unsent(transport: AiohttpTransport) -> None:
    async with serving(OK) as server:
        with pytest.raises(ConfigError) as caught:
            await transport.send(ask(server.url, {"stop": {"a", "b"}}))
    assert str(caught.value) == (
        "the request is not JSON: stop: Object of type set is not JSON serializable"
    )
    assert server.requests == []


@both_ways
@pytest.mark.parametrize("status", [200, 201, 400, 404, 429, 500, 529])
async def test_status_headers_and_body_are_handed_on(
    transport: AiohttpTransport, status: int, body_of: Reader
) -> None:
    head = f"HTTP/1.1 {status} Whatever\r\nX-Request-ID: r1\r\nContent-Length: 5\r\n\r\n"
    async with serving(head.encode() + b"hello") as server:
        response = await transport.send(ask(server.url))
        assert (response.status, response.headers, await body_of(response)) == (
            status,
            {"x-request-id": "r1", "content-length": "5"},
            b"hello",
        )


async def test_a_redirect_is_an_answer_and_is_not_followed(transport: AiohttpTransport) -> None:
    moved = b"HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    async with serving(moved, OK) as server:
        response = await transport.send(ask(server.url))
        await read(response)
    assert (response.status, response.headers["location"], len(server.requests)) == (
        307,
        "/elsewhere",
        1,
    )


async def test_a_body_arrives_in_pieces_while_it_is_sent(transport: AiohttpTransport) -> None:
    go_on = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(b"3\r\ndef\r\n0\r\n\r\n")

    async with serving(then(UNFINISHED_CHUNKS, wait)) as server:
        response = await transport.send(ask(server.url))
        async with aclosing(response.chunks()) as chunks:
            assert await anext(chunks) == b"abc"
            go_on.set()
            assert [chunk async for chunk in chunks] == [b"def"]


@both_ways
async def test_calls_one_after_the_other_share_a_connection(
    transport: AiohttpTransport, body_of: Reader
) -> None:
    async with serving(OK) as server:
        for _ in range(3):
            assert await body_of(await transport.send(ask(server.url))) == b"{}"
    assert (len(server.requests), server.connections) == (3, 1)


async def test_hundreds_of_requests_may_run_at_once(transport: AiohttpTransport) -> None:
    at_once, everybody = 300, asyncio.Event()

    async def wait_for_all(writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == at_once:
            everybody.set()
        await everybody.wait()
        writer.write(OK)

    async def one(number: int) -> bytes:
        return await read(await transport.send(ask(server.url, {"number": number})))

    async with serving(wait_for_all) as server:
        answers = await asyncio.gather(*(one(number) for number in range(at_once)))
    assert answers == [b"{}"] * at_once
    assert sorted(json.loads(request.body)["number"] for request in server.requests) == list(
        range(at_once)
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("not a url", "not%20a%20url"),
        ("/v1/chat", "/v1/chat"),
        ("127.0.0.1:8000/v1", "127.0.0.1:8000/v1"),
        ("ftp://127.0.0.1/v1", "ftp://127.0.0.1/v1"),
        ("http://", "http://"),
        ("http://127.0.0.1:99999/v1", "http://127.0.0.1:99999/v1"),
        ("http://[::1/v1", "http://[::1/v1"),
        ("http://two..dots/v1", "http://two..dots/v1"),
        ("http://user:secret@/v1?key=secret", "http:///v1"),
    ],
)
async def test_an_address_that_cannot_be_is_the_callers_error(
    transport: AiohttpTransport, url: str, shown: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await transport.send(ask(url))
    assert str(caught.value) == f"not a usable address: {shown!r}"


@pytest.mark.parametrize("value", ["Bearer sk-secret\n", "Bearer sk-secret\r\nx: y", b"sk-secret"])
async def test_a_header_that_cannot_be_is_the_callers_error(
    transport: AiohttpTransport, value: Any
) -> None:
    async with serving(OK) as server:
        with pytest.raises(ConfigError) as caught:
            await transport.send(ask(server.url, headers={"Authorization": value}))
        assert str(caught.value) == "api_key and headers must be text without line breaks"
        assert await read(await transport.send(ask(server.url))) == b"{}"


def test_the_repr_of_a_request_shows_no_headers() -> None:
    assert repr(ask("http://a/", {"b": 1}, headers={"Authorization": "secret"})) == (
        "WireRequest(url='http://a/', json={'b': 1}, method='POST', "
        "timeout=Timeout(total=600.0, connect=10.0, idle=None))"
    )


async def test_a_request_goes_through_the_proxy_that_is_told_for_its_address() -> None:
    asked = list[str]()

    def proxy_for(url: str) -> str | None:
        asked.append(url)
        return f"http://me:secret@127.0.0.1:{proxy.port}" if "far" in url else None

    transport = AiohttpTransport(proxy_for=proxy_for)
    async with serving(OK) as proxy, serving(OK) as near:
        await read(await transport.send(ask("http://far.example/v1")))
        await read(await transport.send(ask(near.url)))
        await transport.aclose()
    assert asked == ["http://far.example/v1", near.url]
    assert [(one.line, one.headers["host"]) for one in proxy.requests] == [
        ("POST http://far.example/v1 HTTP/1.1", "far.example")
    ]
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert [one.line for one in near.requests] == ["POST /v1 HTTP/1.1"]


async def test_a_proxy_that_refuses_is_an_error_without_its_password() -> None:
    refusal = b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n"
    async with serving(refusal) as proxy:
        transport = AiohttpTransport(
            proxy_for=lambda url: f"http://me:secret@127.0.0.1:{proxy.port}"
        )
        with pytest.raises(APIConnectionError) as caught:
            await transport.send(ask("https://far.example/v1"))
        await transport.aclose()
    assert proxy.requests[0].line == "CONNECT far.example:443 HTTP/1.1"
    assert str(caught.value) == "the proxy refused the connection: 407 Who are you"


async def test_a_proxy_that_is_not_there_is_named() -> None:
    port = free_port()
    transport = AiohttpTransport(proxy_for=lambda url: f"http://me:secret@127.0.0.1:{port}")
    with pytest.raises(APIConnectionError) as caught:
        await transport.send(ask("http://far.example/v1"))
    await transport.aclose()
    assert str(caught.value) == (
        f"could not connect to 127.0.0.1:{port}: Connect call failed ('127.0.0.1', {port})"
    )
