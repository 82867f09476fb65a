"""Cohere's dialect: what is asked, what comes back whole and in pieces, and what goes back."""

from __future__ import annotations

import json
import logging
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings

from flashlite import Flashlite
from flashlite.errors import CompletionError, ConfigError
from flashlite.middleware import RetryConfig
from flashlite.providers import resolve
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import Message

from .cases import check_answer, event_stream, load, plain, spoiled
from .streams import SPEAKERS

STREAMS = load("cohere_stream")
AN_ANSWER = {
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "ok"}]},
}

TOOL_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "20"}


def client(*replies: Reply, **options: Any) -> Flashlite:
    return Flashlite(
        "cohere/m",
        api_key="a-test-key",
        transport=ReplayTransport(list(replies)),
        retry=RetryConfig(max_attempts=1),
        **options,
    )


read = SPEAKERS["cohere"].read


@pytest.mark.parametrize("case", load("cohere"))
async def test_a_request_goes_out_and_its_answer_comes_back(case: dict[str, Any]) -> None:
    as_given, reply = deepcopy(case), case.get("reply", AN_ANSWER)
    transport = ReplayTransport([Reply.of(reply)])
    engine = Flashlite("cohere/m", api_key="a-test-key", transport=transport)
    response = await engine.complete(**case["request"])
    (sent,) = transport.requests
    assert {"url": sent.url, "json": sent.json} == case["wire"]
    assert sent.headers == {"Authorization": "Bearer a-test-key"}
    assert response.raw == reply
    if "response" in case:
        assert plain(response) == case["response"]
    assert case == as_given


async def test_a_stream_is_asked_for() -> None:
    transport = ReplayTransport([event_stream(STREAMS[-1].values[0]["reply"])])
    engine = Flashlite("cohere/m", api_key="a-test-key", transport=transport)
    assert [event.type async for event in engine.stream("Hi")][-1] == "done"
    assert transport.requests[0].json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


async def test_an_answer_goes_back_as_it_came() -> None:
    calls = [
        {"id": id, "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        for id in ("call_1", "call_2")
    ]
    content = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Wait."}]
    came = {
        "role": "assistant",
        "content": content,
        "tool_plan": "I will look.",
        "tool_calls": calls,
    }
    transport = ReplayTransport([Reply.of({"finish_reason": "TOOL_CALL", "message": came})] * 2)
    engine = Flashlite("cohere/m", api_key="a-test-key", transport=transport)
    answer = (await engine.complete("Hi")).message
    await engine.complete([{"role": "user", "content": "Hi"}, answer, TOOL_RESULT])
    assert transport.requests[1].json["messages"][1:] == [came, TOOL_RESULT]


async def test_what_other_apis_answered_goes_on_as_text() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    trace = {"type": "web_search_call", "id": "ws_1"}
    text = {"type": "text", "text": "See."}
    history = [
        Message.assistant([trace, text, picture, sound]),
        Message.assistant(refusal="No."),
        Message.user("Go."),
    ]
    transport = ReplayTransport([Reply.of(AN_ANSWER)])
    engine = Flashlite("cohere/m", api_key="a-test-key", transport=transport)
    await engine.complete(history)
    assert transport.requests[0].json["messages"] == [
        {"role": "assistant", "content": [text]},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Go."},
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"n": 2}, "Cohere gives one answer to a request: instead of n, ask with sample=0, 1, ..."),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "Cohere takes text and images, no part of type input_audio",
        ),
        ({"tools": [{"type": "web_search"}]}, "Cohere takes functions as tools, none of type"),
        ({"tool_choice": "f"}, "tool_choice names 'f', which is not among the tools"),
        ({"tool_choice": {"type": "function"}}, "tool_choice is auto, none, required or a tool's"),
        ({"response_format": {"type": "json_schema"}}, 'response_format is {"type": "json_schema'),
        ({"thinking": True}, 'thinking is {"type": "enabled", "token_budget": ...}; got True'),
    ],
)
async def test_what_cannot_be_said_is_refused_before_it_is_sent(call: Any, message: str) -> None:
    arguments: Any = {"messages": "Hi", **call}
    with pytest.raises(ConfigError) as caught:
        await client().complete(**arguments)
    assert str(caught.value).startswith(message)


async def test_what_cohere_does_not_take_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flashlite.providers")
    await client(Reply.of(AN_ANSWER)).complete("Hi", user="u", top_logprobs=3)
    assert caplog.messages == ["cohere does not take top_logprobs, user: not sent (reported once)"]


@pytest.mark.parametrize(
    ("status", "message", "kind", "retryable"),
    [
        (400, "invalid request: unknown field", "BadRequestError", False),
        (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081",
            "ContextWindowExceededError",
            False,
        ),
        (401, "invalid api token", "AuthenticationError", False),
        (402, "billing limit reached", "QuotaExceededError", False),
        (404, "model 'x' not found", "NotFoundError", False),
        (429, "trial key limit", "RateLimitError", True),
        (498, "blocked output", "ContentPolicyViolationError", False),
        (503, "", "InternalServerError", True),
    ],
)
async def test_a_refusal_is_a_typed_error(
    status: int, message: str, kind: str, retryable: bool
) -> None:
    with pytest.raises(CompletionError) as caught:
        await client(Reply.of({"id": "e1", "message": message}, status=status)).complete("Hi")
    error = caught.value
    assert (type(error).__name__, error.status_code, error.retryable) == (kind, status, retryable)
    assert message in error.reason


def test_its_names_lead_to_it() -> None:
    for name in ("cohere/command-a-03-2025", "cohere_chat/command-a-03-2025", "command-a-03-2025"):
        route = resolve(name)
        assert (route.provider, route.model) == ("cohere", "command-a-03-2025")


async def test_it_costs_what_is_billed() -> None:
    usage = {
        "billed_units": {"input_tokens": 1_000_000, "output_tokens": 0},
        "tokens": {"input_tokens": 2_000_000, "output_tokens": 9},
    }
    engine = client(Reply.of({**AN_ANSWER, "usage": usage}))
    assert (await engine.complete("Hi", model="cohere/command-r-08-2024")).cost == 0.15


WHOLE = {
    "id": "c1",
    "finish_reason": "TOOL_CALL",
    "message": {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hello"}],
        "tool_plan": "I will look.",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}],
        "citations": [{"start": 0, "end": 5, "text": "Hello", "sources": []}],
    },
    "logprobs": [{"text": "Hello", "token_ids": [1], "logprobs": [-0.5]}],
    "usage": {
        "billed_units": {"input_tokens": 5, "output_tokens": 2},
        "tokens": {"input_tokens": 71, "output_tokens": 4},
        "cached_tokens": 3,
    },
}


@settings(deadline=None)
@given(spoiled(WHOLE))
async def test_any_json_in_any_place_is_an_answer_or_a_typed_error(reply: Any) -> None:
    try:
        response = await client(Reply.of(reply)).complete("Hi")
    except CompletionError as error:
        assert (error.provider, error.model) == ("cohere", "m")  # noqa: PT017
    else:
        check_answer(response)


EVENTS = [event for case in STREAMS[:6] for event in case.values[0]["reply"] if event]


@settings(deadline=None)
@given(spoiled(EVENTS).filter(lambda events: isinstance(events, list)))
async def test_any_json_in_any_place_of_a_stream_is_an_answer_or_a_typed_error(events: Any) -> None:
    got, error = await read(event_stream(f"data: {json.dumps(event)}" for event in events))
    if error is None:
        check_answer(got[-1].data)
