"""Providers without a native dialect, by way of the litellm that is installed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import aclosing
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    CompletionError,
    ConfigError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
)
from flashlite.middleware import RetryConfig
from flashlite.providers import LiteLLMProvider
from flashlite.testing import MockServer, Reply
from flashlite.types import CompletionRequest, Message, Timeout

from .cases import event_stream, plain
from .loopback import SILENCE, Loopback, serving

INSTALLED = version("litellm")
STREAMS = tuple(map(int, INSTALLED.split(".")[:2])) >= (1, 109)
streams = pytest.mark.skipif(not STREAMS, reason=f"litellm {INSTALLED} cannot stream safely")

KEY = "sk-proj-0123456789abcdef"
OK = {"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell it.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = {
    "id": "call_a",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Zürich"}'},
}


def engine(
    server: Loopback | MockServer, model: str = "hosted_vllm/m", **options: Any
) -> Flashlite:
    """Build a client whose every call goes through litellm, whoever else could serve it."""
    options = {"api_key": KEY, "base_url": server.base_url, **options}
    provider = LiteLLMProvider()
    return Flashlite(model, provider=provider, retry=RetryConfig(max_attempts=1), **options)


async def fail(server: Loopback | MockServer, **options: Any) -> CompletionError:
    with pytest.raises(CompletionError) as caught:
        await engine(server, **options).complete("Hi")
    return caught.value


async def test_a_text_goes_out_and_an_answer_comes_back(mock_server: MockServer) -> None:
    response = await engine(mock_server).complete(
        [{"role": "system", "content": "Echo."}, {"role": "user", "content": "né 東京 🦔"}],
        model="hosted_vllm/echo",
        temperature=0,
        max_tokens=50,
        stop=["END"],
        seed=1,
    )
    (request,) = mock_server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "echo",
        "messages": [
            {"role": "system", "content": "Echo."},
            {"role": "user", "content": "né 東京 🦔"},
        ],
        "temperature": 0,
        "max_tokens": 50,
        "stop": ["END"],
        "seed": 1,
    }
    assert response.id is not None
    assert response.usage is not None
    assert plain(response) == {
        "id": response.id,
        "model": "echo",
        "provider": "hosted_vllm",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "né 東京 🦔"},
                "finish_reason": "stop",
            }
        ],
        "usage": plain(response.usage),
        "facts": {"system_fingerprint": "fp_mock"},
    }
    assert response.latency is not None
    assert 0 < response.latency < 60


async def test_tools_go_out_and_calls_come_back() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "Wait.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_a", "content": "Rain."},
    ]
    with serving(Reply.of({"choices": [choice]})) as server:
        response = await engine(server).complete(
            history, tools=[WEATHER], tool_choice="weather", parallel_tool_calls=False
        )
    assert server.requests[0].json == {
        "model": "m",
        "messages": history,
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
    }
    assert [choice.to_dict() for choice in response.choices] == [choice]


async def test_reasoning_and_log_probabilities_come_back() -> None:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "4", "reasoning_content": "Easy."},
        "finish_reason": "stop",
        "logprobs": {
            "content": [{"token": "4", "logprob": -0.1, "bytes": [52], "top_logprobs": []}]
        },
    }
    with serving(Reply.of({"choices": [choice]})) as server:
        response = await engine(server).complete("2+2", logprobs=True)
    assert (response.content, response.reasoning) == ("4", "Easy.")
    assert response.logprobs is not None
    assert response.logprobs["content"] == choice["logprobs"]["content"]  # type: ignore[index]


async def test_usage_is_what_the_server_counted_and_unknown_prices_stay_unknown() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    with serving(Reply.of({**OK, "usage": usage})) as server:
        response = await engine(server).complete("Hi")
    assert plain(response.usage) == {
        "input_tokens": 100,
        "output_tokens": 50,
        "total_tokens": 150,
        "input_tokens_cached": 64,
        "reasoning_tokens": 30,
    }


async def test_what_the_provider_billed_is_the_cost() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "cost": 0.25}
    with serving(Reply.of({**OK, "usage": usage})) as server:
        assert (await engine(server).complete("Hi")).cost == 0.25


async def test_headers_of_the_answer_are_the_servers() -> None:
    headers = {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "59"}
    with serving(Reply.of(OK, headers=headers)) as server:
        response = await engine(server).complete("Hi")
    assert {name: response.headers.get(name) for name in headers} == headers
    assert response.request_id == "req_1"


async def test_extra_headers_and_body_go_out() -> None:
    with serving(Reply.of(OK)) as server:
        await engine(server).complete(
            "Hi", extra_headers={"X-Team": "red"}, extra_body={"guided_regex": "a+"}
        )
    (request,) = server.requests
    assert request.headers["x-team"] == "red"
    assert request.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "guided_regex": "a+",
    }


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, BadRequestError, False),
        (401, AuthenticationError, False),
        (402, QuotaExceededError, False),
        (403, PermissionDeniedError, False),
        (404, NotFoundError, False),
        (408, APIStatusError, True),
        (409, APIStatusError, True),
        (413, BadRequestError, False),
        (422, BadRequestError, False),
        (429, RateLimitError, True),
        (500, InternalServerError, True),
        (501, APIStatusError, False),
        (502, InternalServerError, True),
        (503, InternalServerError, True),
        (504, InternalServerError, True),
        (529, InternalServerError, True),
    ],
)
async def test_one_refusal_is_one_request_and_the_error_that_a_native_host_would_give(
    status: int, kind: type[CompletionError], retryable: bool
) -> None:
    body = {"error": {"message": "No.", "type": "some_error", "param": None, "code": "some_code"}}
    headers = {"x-request-id": "req_1", "retry-after": "7"}
    with serving(Reply.of(body, status=status, headers=headers)) as server:
        error = await fail(server)
    assert len(server.requests) == 1
    names = ("reason", "status_code", "code", "request_id", "retry_after", "retryable", "body")
    assert {"type": type(error)} | {name: getattr(error, name) for name in names} == {
        "type": kind,
        "reason": "No.",
        "status_code": status,
        "code": "some_code",
        "request_id": "req_1",
        "retry_after": 7.0,
        "retryable": retryable,
        "body": body,
    }
    assert (error.provider, error.model) == ("litellm", "hosted_vllm/m")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (408, APIStatusError),
        (409, APIStatusError),
        (429, RateLimitError),
        (500, InternalServerError),
        (503, InternalServerError),
    ],
)
async def test_a_provider_that_litellm_asks_through_openais_sdk_gets_one_request_too(
    status: int, kind: type[CompletionError]
) -> None:
    refusal = {"message": "No.", "type": "some_error", "code": "some_code"}
    headers = {"x-request-id": "req_1", "retry-after": "7"}
    with serving(Reply.of({"error": refusal}, status=status, headers=headers)) as server:
        error = await fail(server, model="perplexity/m")
    assert len(server.requests) == 1
    known = (error.status_code, error.request_id, error.retry_after, error.retryable)
    assert (type(error), *known) == (kind, status, "req_1", 7.0, status != 400)
    assert error.reason.endswith("No.")


async def test_one_answer_is_one_request() -> None:
    with serving(Reply.of(OK)) as server:
        await engine(server).complete("Hi")
    assert len(server.requests) == 1


async def test_a_second_try_is_ours_and_counted() -> None:
    refusal = Reply.of({"error": {"message": "Later."}}, status=503)
    with serving(refusal, refusal, Reply.of(OK)) as server:
        response = await Flashlite(
            "hosted_vllm/m",
            api_key=KEY,
            base_url=server.base_url,
            retry=RetryConfig(max_attempts=3, initial_delay=0),
        ).complete("Hi")
    assert (len(server.requests), response.attempts) == (3, 3)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, {"message": "No.", "code": "insufficient_quota"}, QuotaExceededError),
        (429, {"message": "You exceeded your current quota."}, QuotaExceededError),
        (400, {"message": "No.", "code": "context_length_exceeded"}, ContextWindowExceededError),
        (400, {"message": "The maximum context length is 10."}, ContextWindowExceededError),
        (400, {"message": "No.", "code": "content_policy_violation"}, ContentPolicyViolationError),
        (400, {"message": "No.", "code": "content_filter"}, ContentPolicyViolationError),
    ],
)
async def test_a_refusal_that_has_an_error_of_its_own_is_known_here_too(
    status: int, error: dict[str, Any], kind: type[CompletionError]
) -> None:
    with serving(Reply.of({"error": error}, status=status)) as server:
        failure = await fail(server)
    assert (type(failure), failure.retryable) == (kind, False)


async def test_a_refusal_without_json_is_heard_too() -> None:
    with serving(Reply(status=502, chunks=(b"<html>busy</html>",))) as server:
        error = await fail(server)
    assert (type(error), error.status_code, error.body) == (InternalServerError, 502, None)
    assert "<html>busy</html>" in error.reason


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy</html>", b'{"choices": [{"mess', b"[]", b'{"choices": []}'],
    ids=["empty", "html", "cut", "list", "no choices"],
)
async def test_a_200_that_is_no_answer_says_so_and_is_tried_again(body: bytes) -> None:
    with serving(Reply(chunks=(body,))) as server:
        error = await fail(server)
    assert (type(error), error.retryable) == (MalformedResponseError, True)
    assert len(server.requests) == 1
    assert "Traceback" not in str(error)


async def test_an_error_inside_a_200_keeps_its_status() -> None:
    with serving(Reply.of({"error": {"message": "Overloaded.", "code": 503}})) as server:
        error = await fail(server)
    assert (type(error), error.status_code) == (InternalServerError, 503)
    assert "Overloaded." in error.reason


async def test_a_connection_that_is_refused_is_a_connection_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = Flashlite(
        "hosted_vllm/m",
        api_key=KEY,
        base_url=f"http://127.0.0.1:{port}/v1",
        retry=RetryConfig(max_attempts=1),
    )
    with pytest.raises(APIConnectionError) as caught:
        await client.complete("Hi")
    assert caught.value.retryable


async def test_time_that_runs_out_ends_the_request_too() -> None:
    with serving(Reply(chunks=(SILENCE,))) as server:
        with pytest.raises(APITimeoutError):
            await engine(server).complete("Hi", timeout=0.3)
        assert server.lost.wait(5)
    assert len(server.requests) == 1


async def test_a_limit_that_litellm_keeps_is_a_timeout_of_ours() -> None:
    with serving(Reply(chunks=(SILENCE,))) as server:
        provider = LiteLLMProvider()  # without our own deadline around it
        request = CompletionRequest(
            model="hosted_vllm/m",
            messages=(Message.user("Hi"),),
            base_url=server.base_url,
            timeout=Timeout(total=0.1),
        )
        with pytest.raises(APITimeoutError):
            await provider(request)
        assert server.lost.wait(5)


async def test_what_breaks_inside_litellm_is_not_tried_again() -> None:
    with serving(Reply.of([])) as server:
        error = await fail(server, model="mistral/m")
    assert (type(error), error.retryable, len(server.requests)) == (CompletionError, False, 1)
    assert error.reason.startswith("litellm failed inside: AttributeError(")


async def test_a_call_may_wait_for_ever() -> None:
    with serving(Reply.of(OK)) as server:
        response = await engine(server).complete("Hi", timeout=Timeout(total=None))
    assert response.content == "ok"


async def test_cancellation_ends_the_request_too() -> None:
    with serving(Reply(chunks=(SILENCE,))) as server:
        task = asyncio.ensure_future(engine(server).complete("Hi"))
        assert await asyncio.to_thread(server.arrived.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.lost.wait(5)


def test_one_client_works_in_one_loop_after_another(mock_server: MockServer) -> None:
    client = engine(mock_server, "hosted_vllm/echo")
    texts = [str(number) for number in range(5)]
    assert [asyncio.run(client.complete(text)).content for text in texts] == texts


def test_one_client_works_in_several_threads(mock_server: MockServer) -> None:
    client = engine(mock_server, "hosted_vllm/echo")
    answers: dict[str, str] = {}

    def ask(text: str) -> None:
        answers[text] = asyncio.run(client.complete(text)).content

    texts = [str(number) for number in range(4)]
    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {text: text for text in texts}


async def test_a_hundred_calls_at_once_get_their_own_answers(mock_server: MockServer) -> None:
    client = engine(mock_server, "hosted_vllm/echo")
    texts = [str(number) for number in range(100)]
    answers = await asyncio.gather(*(client.complete(text) for text in texts))
    assert [answer.content for answer in answers] == texts
    assert len(mock_server.requests) == 100


@pytest.fixture(params=["argument", "environment", "file"])
def key_from(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str | None:
    """Give the key in one of three ways; return what has to be passed for it."""
    match request.param:
        case "environment":
            monkeypatch.setenv("HOSTED_VLLM_API_KEY", KEY)
        case "file":
            (tmp_path / ".env").write_text(f"HOSTED_VLLM_API_KEY={KEY}\n")
            monkeypatch.chdir(tmp_path)
    return KEY if request.param == "argument" else None


async def test_the_key_may_come_from_anywhere(key_from: str | None) -> None:
    with serving(Reply.of(OK)) as server:
        await engine(server, api_key=key_from).complete("Hi")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def all_of(error: BaseException) -> str:
    """Return everything that a log, a debugger or a report could print of an error."""
    attributes = json.dumps(vars(error), default=str)
    return "".join([str(error), repr(error), attributes, *traceback.format_exception(error)])


@pytest.mark.parametrize(
    "reply",
    [
        Reply.of({"error": {"message": f"Bad key {KEY}!", "code": KEY}}, status=401),
        Reply.of({"error": {"message": f"Bad key {KEY}!"}}, status=500),
        Reply(chunks=(f"<p>Bearer {KEY}</p>".encode(),)),
        Reply.of({"choices": [], "id": KEY}),
    ],
    ids=["refused", "failed", "html", "no choices"],
)
async def test_a_key_that_the_server_repeats_is_nowhere_in_the_error(
    reply: Reply, key_from: str | None
) -> None:
    with serving(reply) as server:
        error = await fail(server, api_key=key_from)
    assert KEY not in all_of(error)


async def test_on_send_gets_what_decides_the_answer_and_no_secret() -> None:
    seen: list[Any] = []
    with serving(Reply.of(OK)) as server:
        await engine(server).complete(
            "Hi",
            temperature=0,
            tools=[WEATHER],
            extra_body={"x": 1},
            extra_headers={"X-Key": KEY},
            on_send=seen.append,
        )
    assert seen == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 0,
            "tools": [WEATHER],
            "x": 1,
        }
    ]


async def test_an_unknown_provider_says_what_to_write() -> None:
    with pytest.raises(ConfigError) as caught:
        await Flashlite("Qwen/Qwen3-8B").complete("Hi")
    assert str(caught.value) == (
        "no provider is known for 'Qwen/Qwen3-8B'; for an OpenAI-compatible server write "
        "openai/Qwen/Qwen3-8B and pass base_url=..."
    )


async def test_a_parameter_that_litellm_cannot_send_is_an_error_before_anything_is_sent() -> None:
    with serving(Reply.of(OK)) as server:
        with pytest.raises(ConfigError) as caught:
            await engine(server).complete("Hi", verbosity="low")
        assert server.requests == []
    assert str(caught.value) == (
        "litellm cannot send this to hosted_vllm/m: hosted_vllm does not support parameters: "
        "['verbosity'], for model=m."
    )


async def test_a_parameter_that_litellm_drops_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(Reply.of(OK)) as server:
        client = engine(server)
        await client.complete("Hi", user="u-1", metadata={"run": "7"})
        await client.complete("Hi", user="u-1")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert [request.json for request in server.requests] == [body, body]
    assert [record for record in caplog.record_tuples if record[0].startswith("flashlite")] == [
        (
            "flashlite.providers",
            logging.WARNING,
            "litellm does not take metadata, user: not sent (reported once)",
        )
    ]


async def test_a_parameter_that_litellm_drops_is_an_error_where_that_is_wanted() -> None:
    with serving(Reply.of(OK)) as server:
        with pytest.raises(ConfigError, match="litellm does not take metadata; leave it out"):
            await engine(server, strict_params=True).complete("Hi", metadata={"run": "7"})
        assert server.requests == []


async def test_a_provider_leaves_the_request_alone() -> None:
    with serving(Reply.of(OK)) as server:
        fields: dict[str, Any] = {
            "model": "hosted_vllm/m",
            "messages": (
                Message.user([{"type": "text", "text": "Hi"}]),
                Message.assistant("Wait.", tool_calls=[CALL], reasoning_content="Hm."),
                Message.tool_result("call_a", "Rain."),
            ),
            "tools": (WEATHER,),
            "params": {"metadata": {"run": "7"}, "response_format": {"type": "json_object"}},
            "extra_body": {"x": {"y": 1}},
            "extra_headers": {"X-Team": "red"},
            "api_key": KEY,
            "base_url": server.base_url,
        }
        request, same = CompletionRequest(**fields), CompletionRequest(**deepcopy(fields))
        await LiteLLMProvider()(request)
    assert request == same


@pytest.mark.skipif(STREAMS, reason=f"litellm {INSTALLED} can stream safely")
async def test_a_stream_is_refused_where_litellm_would_take_a_cut_for_an_end() -> None:
    with serving(Reply.of(OK)) as server:
        with pytest.raises(ConfigError) as caught:
            [event async for event in engine(server).stream("Hi")]
        assert server.requests == []
    assert str(caught.value) == (
        f"streaming through litellm needs litellm >= 1.109 ({INSTALLED} is installed): older "
        "versions report a stream that was cut as a finished answer"
    )


async def test_several_choices_are_not_streamed_because_litellm_loses_their_ends() -> None:
    with serving(Reply.of(OK)) as server:
        with pytest.raises(ConfigError, match="litellm streams the end of one choice only"):
            [event async for event in engine(server).stream("Hi", n=2)]
        assert server.requests == []


ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
COUNTED = {
    "prompt_tokens": 5,
    "completion_tokens": 2,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
TOLD = {"choices": [], "usage": COUNTED}
USAGE = {
    "input_tokens": 5,
    "output_tokens": 2,
    "total_tokens": 7,
    "input_tokens_cached": 4,
    "reasoning_tokens": 1,
}
DONE = "data: [DONE]"


def says(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def told_as_chunks(*chunks: Any) -> Reply:
    """Build a stream whose chunks bear the name and the model that litellm wants."""
    named = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return event_stream(
        named | chunk if isinstance(chunk, dict) and "choices" in chunk else chunk
        for chunk in chunks
    )


async def read(server: Loopback, **options: Any) -> tuple[list[Any], CompletionError | None]:
    """Read a stream to its end: the events written down, and the error if it broke."""
    events: list[Any] = []
    try:
        async for event in engine(server).stream("Hi", **options):
            events.append(plain(event))  # noqa: PERF401 - what came before an error counts
    except CompletionError as error:
        return events, error
    return events, None


@streams
async def test_a_stream_goes_out_and_its_events_come_back() -> None:
    text = told_as_chunks(ROLE, says(content="Hel"), says(content="lo"), END, TOLD, DONE)
    headers = {**text.headers, "x-request-id": "req_1"}
    with serving(Reply(headers=headers, chunks=text.chunks)) as server:
        events = [event async for event in engine(server).stream("Hi", temperature=0)]
    assert [request.json for request in server.requests] == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]
    assert [plain(event) for event in events] == [
        ["token", "Hel", 0],
        ["token", "lo", 0],
        ["usage", USAGE, 0],
        ["done"],
    ]
    response = events[-1].data
    assert plain(response) == {
        "id": "c1",
        "model": "m",
        "provider": "hosted_vllm",
        "request_id": "req_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
    assert 0 < response.latency < 60


@streams
async def test_reasoning_and_parallel_calls_are_streamed() -> None:
    first, second = CALL, {**CALL, "id": "call_b"}
    pieces = [
        says(reasoning_content="Hm."),
        says(tool_calls=[{**first, "index": 0, "function": {"name": "weather", "arguments": ""}}]),
        says(tool_calls=[{"index": 0, "function": {"arguments": '{"city": '}}]),
        says(tool_calls=[{**second, "index": 1}]),
        says(tool_calls=[{"index": 0, "function": {"arguments": '"Zürich"}'}}]),
    ]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    with serving(told_as_chunks(ROLE, *pieces, end, TOLD, DONE)) as server:
        events, error = await read(server, tools=[WEATHER])
    assert error is None
    start = {"index": 0, "id": "call_a", "name": "weather"}
    other = {"index": 1, "id": "call_b", "name": "weather"}
    assert events == [
        ["reasoning", "Hm.", 0],
        ["tool_call_start", start, 0],
        ["tool_call_delta", {**start, "arguments": '{"city": '}, 0],
        ["tool_call_start", other, 0],
        ["tool_call_delta", {**other, "arguments": '{"city": "Zürich"}'}, 0],
        ["tool_call_delta", {**start, "arguments": '"Zürich"}'}, 0],
        ["tool_call_end", first, 0],
        ["tool_call_end", second, 0],
        ["usage", USAGE, 0],
        ["done"],
    ]


@streams
async def test_log_probabilities_are_streamed() -> None:
    token = {"token": "4", "logprob": -0.1, "bytes": [52], "top_logprobs": []}
    chosen = {"index": 0, "delta": {"content": "4"}, "logprobs": {"content": [token]}}
    with serving(told_as_chunks(ROLE, {"choices": [chosen]}, END, TOLD, DONE)) as server:
        events = [event async for event in engine(server).stream("2+2", logprobs=True)]
    assert events[-1].data.logprobs == {"content": [token]}


@streams
async def test_usage_that_litellm_guesses_is_said_to_be_estimated() -> None:
    with serving(told_as_chunks(ROLE, says(content="Hello"), END, DONE)) as server:
        events, error = await read(server)
    assert error is None
    (usage,) = [data for kind, data, *_ in events[:-1] if kind == "usage"]
    assert usage["estimated"] is True


@streams
async def test_a_cost_that_litellm_may_have_guessed_is_not_taken() -> None:
    billed = {"choices": [], "usage": {**COUNTED, "cost": 0.5}}
    with serving(told_as_chunks(ROLE, says(content="Hello"), END, billed, DONE)) as server:
        events, error = await read(server)
    assert error is None
    assert events == [["token", "Hello", 0], ["usage", USAGE, 0], ["done"]]


WHOLE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
CUT = {
    "no finish reason": told_as_chunks(ROLE, says(content="Hel")),
    "DONE without a finish reason": told_as_chunks(ROLE, says(content="Hel"), DONE),
    "a broken connection": told_as_chunks(ROLE, says(content="Hel"), None),
    "a chunk that is no JSON": told_as_chunks(ROLE, says(content="Hel"), "data: {no", DONE),
    "an error event": told_as_chunks(ROLE, says(content="Hel"), {"error": {"message": "No."}}),
    "an error event at once": told_as_chunks({"error": {"message": "No.", "code": 503}}),
    "nothing": told_as_chunks(),
    "an answer in one piece, which litellm loses": Reply.of({"choices": [WHOLE]}),
}


@streams
@pytest.mark.parametrize("reply", CUT.values(), ids=CUT)
async def test_a_stream_that_was_not_finished_is_no_answer(reply: Reply) -> None:
    with serving(reply) as server:
        events, error = await read(server)
    assert type(error) is StreamInterruptedError
    assert (error.provider, error.model) == ("litellm", "hosted_vllm/m")
    assert ["done"] not in events
    assert len(server.requests) == 1


@streams
@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (429, RateLimitError), (503, InternalServerError)],
)
async def test_a_stream_that_is_refused_is_one_request_and_one_error(
    status: int, kind: type[CompletionError]
) -> None:
    body = {"error": {"message": f"Bad key {KEY}!"}}
    with serving(Reply.of(body, status=status, headers={"retry-after": "7"})) as server:
        events, error = await read(server)
    assert (events, type(error), len(server.requests)) == ([], kind, 1)
    assert error is not None
    assert (error.reason, error.retry_after) == ("Bad key ***!", 7.0)
    assert KEY not in all_of(error)


@streams
async def test_a_reader_who_stops_early_ends_the_request_too() -> None:
    text = told_as_chunks(ROLE, says(content="Hel"))
    with serving(Reply(headers=text.headers, chunks=(*text.chunks, SILENCE))) as server:
        async with aclosing(engine(server).stream("Hi")) as events:
            assert plain(await anext(events)) == ["token", "Hel", 0]
        assert server.lost.wait(5)


@streams
async def test_time_that_runs_out_in_a_stream_ends_the_request_too() -> None:
    text = told_as_chunks(ROLE, says(content="Hel"))
    with serving(Reply(headers=text.headers, chunks=(*text.chunks, SILENCE))) as server:
        events, error = await read(server, timeout=0.5)
        assert server.lost.wait(5)
    assert (events, type(error)) == ([["token", "Hel", 0]], APITimeoutError)


def test_without_litellm_a_call_says_that_it_is_needed() -> None:
    script = """
import sys
sys.modules["litellm"] = None
from flashlite import ConfigError, Flashlite
try:
    Flashlite("ai21/m").complete_sync("Hi")
except ConfigError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", script], text=True, timeout=100)
    assert said.startswith("litellm is needed for this model, but: ")


FIRST_CALL = """
import asyncio, json, logging, os, sys, time

environment = dict(os.environ)
root = logging.getLogger()
from flashlite import Flashlite
from flashlite.testing import MockServer

assert "litellm" not in sys.modules
with MockServer() as server:
    started = time.perf_counter()
    client = Flashlite("hosted_vllm/echo", base_url=server.base_url)
    response = client.complete_sync("hello")
    took = time.perf_counter() - started

print(json.dumps({
    "content": response.content,
    "changed": {k: v for k, v in os.environ.items() if environment.get(k) != v},
    "root handlers": len(root.handlers),
    "root level": root.level,
    "litellm handlers": [type(h).__name__ for h in logging.getLogger("LiteLLM").handlers],
    "import is not latency": response.latency < took / 2,
}))
"""


def test_the_first_call_prints_nothing_and_changes_little(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A_KEY_OF_THE_PROJECT=1\n")
    ours = ("LITELLM_", "TIKTOKEN_")  # set here by the tests above
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIRST_CALL],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith(ours)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (ran.stderr, ran.returncode) == ("", 0)
    seen = json.loads(ran.stdout)
    # litellm points the tokenizer library at its own copy of the vocabularies.
    assert seen["changed"].pop("TIKTOKEN_CACHE_DIR").endswith("tokenizers")
    assert seen == {
        "content": "hello",
        "changed": {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"},
        "root handlers": 0,
        "root level": logging.WARNING,
        "litellm handlers": ["NullHandler"],
        "import is not latency": True,
    }
