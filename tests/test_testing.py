"""The doubles that flashlite offers for tests, its own and its users'."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from flashlite import APIConnectionError, CompletionResponse, Flashlite, RateLimitError
from flashlite.testing import MockServer, ReceivedRequest, ReplayTransport, Reply, ScriptedProvider


def _post(url: str, body: dict[str, object]) -> tuple[int, dict[str, str], bytes]:
    """Ask as any other client would."""
    request = Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
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
