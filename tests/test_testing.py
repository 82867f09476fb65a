"""The doubles that flashlite offers for tests, its own and its users'."""

from __future__ import annotations

import json
import logging
import socket
import time
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from flashlite import (
    APIConnectionError,
    CompletionResponse,
    Flashlite,
    RateLimitError,
    RetryConfig,
)
from flashlite.testing import MockServer, ReceivedRequest, ReplayTransport, Reply, ScriptedProvider


def _post(url: str, body: object) -> tuple[int, dict[str, str], bytes]:
    """Ask as any other client would; bytes are sent as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(url, content, {"content-type": "application/json"})
    try:
        with urlopen(request) as response:
            return response.status, dict(response.headers), response.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


async def test_a_scripted_provider_answers_raises_and_keeps_the_requests() -> None:
    whole = CompletionResponse.of("whole")
    provider = ScriptedProvider(["text", whole, RateLimitError("slow")])
    client = Flashlite("m", provider=provider)
    assert (await client.complete("1")).content == "text"
    assert await client.complete("2") is whole
    with pytest.raises(AssertionError, match="the script is over: request 4"):
        await client.complete("3")
    assert [request.messages[0].text for request in provider.requests] == ["1", "2", "3", "3"]


async def test_a_replay_transport_gives_replies_and_raises_among_their_chunks() -> None:
    broken = Reply(chunks=(b'{"choices"', APIConnectionError("gone")))
    whole = Reply.of({"choices": [{"message": {"content": "hello"}}]})
    transport = ReplayTransport([broken, whole])
    client = Flashlite("openai/m", transport=transport, api_key="k")
    assert (await client.complete("Hi", extra_headers={"x-a": "1"})).content == "hello"
    assert [request.headers for request in transport.requests] == [
        {"Authorization": "Bearer k", "x-a": "1"}
    ] * 2


def test_the_server_speaks_to_any_client(mock_server: MockServer) -> None:
    body = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
    status, headers, answer = _post(f"{mock_server.base_url}/chat/completions", body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(answer)["choices"][0]["message"]["content"] == "hello"
    [request] = mock_server.requests
    assert (request.path, request.body) == ("/v1/chat/completions", body)
    assert isinstance(request, ReceivedRequest)


def test_the_server_lists_its_models(mock_server: MockServer) -> None:
    with urlopen(f"{mock_server.base_url}/models") as response:
        listed = json.load(response)
    assert [model["id"] for model in listed["data"]] == [
        "calculator",
        "echo",
        "json",
        "script",
        "tools",
    ]


def test_the_server_says_which_model_it_does_not_have(mock_server: MockServer) -> None:
    status, _, answer = _post(f"{mock_server.base_url}/chat/completions", {"model": "gpt-9"})
    assert (status, json.loads(answer)["error"]) == (
        404,
        {
            "message": "unknown mock behaviour 'gpt-9': there are calculator, echo, json, script, "
            "tools",
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        },
    )


def test_a_server_with_a_behaviour_answers_for_every_model_with_its_faults() -> None:
    body = {"model": "any", "messages": [{"role": "user", "content": "hello"}]}
    with MockServer("echo", status=503, times=1, retry_after=2) as server:
        url = f"{server.base_url}/chat/completions"
        first, second = _post(url, body), _post(url, body)
    assert (first[0], first[1]["retry-after"], second[0]) == (503, "2", 200)


def test_a_server_can_be_started_again() -> None:
    server = MockServer("echo")
    for _ in range(2):
        with server:
            client = Flashlite("openai/m", base_url=server.base_url)
            assert client.complete_sync("hello").content == "hello"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff\xfe{", b"[" * 100_000, b"{}", b"[]", b"null", b"3"),
        *({"model": "echo"}, {"model": 5, "messages": []}, {"model": "echo", "messages": 5}),
    ],
)
def test_a_body_that_is_no_request_is_refused_in_openais_form(
    mock_server: MockServer, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    status, _, answer = _post(f"{mock_server.base_url}/chat/completions", body)
    error = json.loads(answer)["error"]
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert error.keys() == {"message", "type", "param", "code"}
    assert caplog.messages == []


def test_a_body_that_is_no_json_is_kept_as_it_came(mock_server: MockServer) -> None:
    _post(f"{mock_server.base_url}/chat/completions", b"{")
    assert [request.body for request in mock_server.requests] == [b"{"]


async def test_a_cut_on_the_server_breaks_a_whole_answer_in_the_middle() -> None:
    with MockServer("echo", cut=1) as server:
        client = Flashlite("openai/m", base_url=server.base_url, retry=RetryConfig(max_attempts=1))
        with pytest.raises(APIConnectionError, match="broke in the middle of the body"):
            await client.complete("hello")


HELLO = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}


def _send(server: MockServer, content: bytes, *, length: int | None = None) -> socket.socket:
    """Send a request, or the beginning of one, and leave the connection open."""
    address = urlsplit(server.base_url)
    connection = socket.create_connection((address.hostname or "", address.port or 0))
    size = len(content) if length is None else length
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def test_a_client_may_hang_up_before_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    with MockServer("echo", latency=0.01) as server:
        _send(server, json.dumps(HELLO).encode()).close()
        # What comes later is answered later, so the first answer has met its closed door by then.
        assert _post(f"{server.base_url}/chat/completions", HELLO)[0] == 200
    assert caplog.messages == []


def test_a_client_may_hang_up_in_the_middle_of_its_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with MockServer("echo") as server:
        _send(server, b'{"messages"', length=1000).close()
        assert _post(f"{server.base_url}/chat/completions", HELLO)[0] == 200
    assert (caplog.messages, len(server.requests)) == ([], 1)


@pytest.mark.parametrize("options", [{}, {"cut": 2}])
def test_a_client_may_hang_up_in_the_middle_of_its_answer(
    caplog: pytest.LogCaptureFixture, options: dict[str, int]
) -> None:
    body = HELLO | {"stream": True}
    with MockServer("echo", chunk_latency=0.01, times=1, **options) as server:
        with _send(server, json.dumps(body).encode()) as connection:
            assert connection.recv(8) == b"HTTP/1.1"
        assert _post(f"{server.base_url}/chat/completions", body)[0] == 200
    assert caplog.messages == []


@pytest.mark.parametrize("waiting", ["latency", "chunk_latency"])
def test_a_server_stops_at_once_while_a_request_is_running(
    waiting: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    with MockServer("echo", **{waiting: 60}) as server:
        connection = _send(server, json.dumps(HELLO | {"stream": True}).encode())
        while not server.requests:
            pass
        start = time.monotonic()
    assert time.monotonic() - start < 1
    with connection:
        assert b"[DONE]" not in connection.recv(1000)
    assert (caplog.messages, capfd.readouterr()) == ([], ("", ""))
