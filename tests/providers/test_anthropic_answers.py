"""Anthropic's dialect, one whole answer at a time: what is asked and what comes back."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import BaseModel, Field

from flashlite import Flashlite, Message
from flashlite.errors import CompletionError, ConfigError
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import Usage

from .cases import check_answer, load, plain, spoiled

SENT_ALWAYS = {"x-api-key": "a-test-key", "anthropic-version": "2023-06-01"}
AN_ANSWER: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-1",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
}
OK = {
    "id": "msg_1",
    "model": "claude-1",
    "provider": "anthropic",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    ],
}


@pytest.mark.parametrize("case", load("anthropic"))
async def test_a_request_goes_out_and_its_answer_comes_back(case: dict[str, Any]) -> None:
    as_given, reply = deepcopy(case), case.get("reply", AN_ANSWER)
    transport = ReplayTransport([Reply.of(reply)])
    client = Flashlite("anthropic/m", api_key="a-test-key", transport=transport)
    response = await client.complete(**case["request"])
    (sent,) = transport.requests
    assert (sent.url, sent.headers) == (
        "https://api.anthropic.com/v1/messages",
        {**SENT_ALWAYS, **case.get("headers", {})},
    )
    if "json" in case:
        assert json.dumps(sent.json, sort_keys=True) == json.dumps(case["json"], sort_keys=True)
    assert plain(response) == case.get("response", OK)
    assert response.raw == reply
    assert case == as_given


@pytest.mark.parametrize("case", load("anthropic_turns"))
async def test_an_answer_that_goes_back_is_the_answer_that_came(case: dict[str, Any]) -> None:
    reply = {**AN_ANSWER, "content": case["content"], "stop_reason": case["stop_reason"]}
    transport = ReplayTransport([Reply.of(reply), Reply.of(AN_ANSWER)])
    client = Flashlite("anthropic/m", api_key="a-test-key", transport=transport)
    first = await client.complete("Hi")
    assert first.message == case["message"]
    await client.complete([Message.user("Hi"), first.message, *case["then"]])
    assert transport.requests[1].json["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": case.get("back", case["content"])},
        *case["after"],
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n": 2}, "Claude gives one answer to a request: instead of n, ask with sample=0"),
        (
            {"response_format": {"type": "json_object"}},
            "Claude has no JSON mode without a schema: pass response_model=",
        ),
        (
            {"model": "claude-sonnet-4-5", "reasoning_effort": "low", "max_tokens": 1024},
            "raise max_tokens above 1024, or leave reasoning_effort out",
        ),
        (
            {"model": "claude-sonnet-4-5", "reasoning_effort": "huge"},
            "reasoning_effort is one of minimal, low, medium, high, xhigh, max; got 'huge'",
        ),
        ({"thinking": True}, "thinking is {"),
        ({"thinking": "enabled", "max_tokens": 9}, "got 'enabled'"),
        (
            {"tools": [{"name": "f"}], "tool_choice": {"type": "function"}},
            "tool_choice is auto, none, required or a tool's name; got {'type': 'function'}",
        ),
        ({"response_format": "json_schema"}, 'response_format is {"type": "json_schema", '),
    ],
)
async def test_what_claude_has_no_words_for_is_an_error_that_says_what_to_do(
    options: dict[str, Any], told: str
) -> None:
    client = Flashlite("anthropic/m", api_key="k", transport=ReplayTransport([]))
    with pytest.raises(ConfigError) as caught:
        await client.complete("Hi", **options)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            "Claude takes neither sound nor video: send a transcript as text",
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64"}},
            "a data URI reads data:image/png;base64,...; got 'data:image/png;base64'",
        ),
        *(
            (part, f"Claude takes no part like {part}")
            for part in (
                {"type": "image_url"},
                {"type": "image_url", "image_url": {"url": None}},
                {"type": "file", "file": {"filename": "a.pdf"}},
                {"type": "file", "file": "a.pdf"},
                {"type": "refusal"},
            )
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}},
            "a text file is UTF-8 in base64: ",
        ),
    ],
)
async def test_a_part_that_claude_does_not_take_is_an_error_that_says_what_to_do(
    part: dict[str, Any], told: str
) -> None:
    client = Flashlite("anthropic/m", api_key="k", transport=ReplayTransport([]))
    with pytest.raises(ConfigError) as caught:
        await client.complete([Message.user([part])])
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("model", "options", "who"),
    [
        ("claude-opus-4-8", {}, "claude-opus-4-8"),
        ("claude-sonnet-4-5", {"reasoning_effort": "low"}, "claude-sonnet-4-5, while it thinks,"),
        (
            "anthropic/m",
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            "m, while it thinks,",
        ),
    ],
)
async def test_a_model_that_takes_no_temperature_is_sent_none_and_that_is_said_once(
    model: str, options: dict[str, Any], who: str, caplog: pytest.LogCaptureFixture
) -> None:
    transport = ReplayTransport([Reply.of(AN_ANSWER)] * 2)
    client = Flashlite(model, api_key="k", transport=transport, temperature=0, top_p=0.5)
    for _ in range(2):
        await client.complete("Hi", cache="off", **options)
    assert all({"temperature", "top_p"}.isdisjoint(sent.json) for sent in transport.requests)
    assert caplog.messages == [
        f"{who} does not take temperature, top_p: not sent (reported once)",
    ]
    with pytest.raises(ConfigError, match="does not take temperature, top_p; leave it out"):
        await client.complete("Hi", strict_params=True, **options)


async def test_a_parameter_that_nobody_at_anthropic_knows_is_not_sent_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = ReplayTransport([Reply.of(AN_ANSWER)])
    await Flashlite("anthropic/m", api_key="k", transport=transport).complete("Hi", seed=1)
    assert transport.requests[0].json == {
        "model": "m",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert caplog.messages == ["anthropic does not take seed: not sent (reported once)"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("http://127.0.0.1:9/anthropic/", "http://127.0.0.1:9/anthropic/v1/messages"),
        ("http://127.0.0.1:9/v1beta/", "http://127.0.0.1:9/v1beta/messages"),
    ],
)
async def test_an_address_may_lack_its_version_as_anthropics_own_variable_does(
    given: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", given)
    transport = ReplayTransport([Reply.of(AN_ANSWER)])
    await Flashlite("claude-opus-4-5", api_key="k", transport=transport).complete("Hi")
    assert transport.requests[0].url == sent


async def test_the_betas_of_a_call_and_of_an_uploaded_file_go_out_together() -> None:
    transport = ReplayTransport([Reply.of(AN_ANSWER)])
    client = Flashlite(
        "anthropic/m",
        api_key="k",
        transport=transport,
        extra_headers={"Anthropic-Beta": "context-1m-2025-08-07, files-api-2025-04-14"},
    )
    await client.complete([Message.user([{"type": "file", "file": {"file_id": "file_1"}}])])
    assert transport.requests[0].headers == {
        "anthropic-version": "2023-06-01",
        "x-api-key": "k",
        "anthropic-beta": "context-1m-2025-08-07,files-api-2025-04-14",
    }


async def test_tokens_written_for_an_hour_cost_more() -> None:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 1000,
        "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400},
        "output_tokens": 0,
    }
    transport = ReplayTransport([Reply.of({**AN_ANSWER, "usage": usage})])
    client = Flashlite("claude-sonnet-4-5", api_key="k", transport=transport)
    response = await client.complete("Hi")
    assert response.cost == pytest.approx(10 * 3e-6 + 600 * 3.75e-6 + 400 * 6e-6)


async def test_what_it_took_to_shorten_the_context_is_paid_too() -> None:
    usage = {
        "input_tokens": 23000,
        "cache_read_input_tokens": 500,
        "output_tokens": 1000,
        "iterations": [
            {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
            {"type": "message", "input_tokens": 23000, "output_tokens": 1000},
        ],
    }
    transport = ReplayTransport([Reply.of({**AN_ANSWER, "usage": usage})])
    client = Flashlite("anthropic/m", api_key="k", transport=transport)
    response = await client.complete("Hi")
    assert response.usage == Usage(input_tokens=203500, output_tokens=4500, input_tokens_cached=500)


class Colour(BaseModel):
    name: str = Field(max_length=8)
    darker: Colour | None = None


class Paint(BaseModel):
    litres: int = Field(ge=1)
    colour: str


async def test_a_response_model_is_the_format_of_the_answer() -> None:
    said = {"type": "text", "text": '{"litres": 2, "colour": "red"}'}
    transport = ReplayTransport([Reply.of({**AN_ANSWER, "content": [said]})])
    client = Flashlite("claude-sonnet-4-5", api_key="k", transport=transport)
    answer = await client.complete("Paint?", response_model=Paint)
    assert answer == Paint(litres=2, colour="red")
    assert transport.requests[0].json["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "title": "Paint",
                "properties": {
                    "litres": {"type": "integer", "description": "minimum: 1"},
                    "colour": {"type": "string"},
                },
                "required": ["litres", "colour"],
                "additionalProperties": False,
            },
        }
    }


async def test_a_response_model_that_contains_itself_is_told_in_words() -> None:
    said = {"type": "text", "text": '{"name": "red", "darker": {"name": "maroon"}}'}
    transport = ReplayTransport([Reply.of({**AN_ANSWER, "content": [said]})])
    client = Flashlite("claude-sonnet-4-5", api_key="k", transport=transport)
    answer = await client.complete("Colour?", response_model=Colour)
    assert answer == Colour(name="red", darker=Colour(name="maroon"))
    assert "output_config" not in transport.requests[0].json
    assert "fits this JSON schema" in transport.requests[0].json["system"]


WHOLE = {
    **AN_ANSWER,
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "Hello", "citations": [{"type": "char_location", "title": "t"}]},
        {"type": "thinking", "thinking": "Well.", "signature": "c2ln"},
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}},
    ],
    "stop_reason": "refusal",
    "stop_details": {"type": "refusal", "category": "cyber", "explanation": "No."},
    "usage": {
        "input_tokens": 5,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 9,
        "cache_creation": {"ephemeral_1h_input_tokens": 4},
        "output_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 1},
        "service_tier": "standard",
    },
    "error": None,
}


@settings(deadline=None)
@given(spoiled(WHOLE))
async def test_any_json_in_any_place_is_an_answer_or_a_typed_error(reply: Any) -> None:
    client = Flashlite(
        "claude-sonnet-4-5",
        api_key="a-test-key",
        transport=ReplayTransport([Reply.of(reply), Reply.of(AN_ANSWER)]),
        retry=RetryConfig(max_attempts=1),
    )
    try:
        response = await client.complete("Hi")
    except CompletionError as error:
        assert (error.provider, error.model) == ("anthropic", "claude-sonnet-4-5")  # noqa: PT017
    else:
        check_answer(response)
        assert [event.type async for event in response.events()][-1] == "done"
        await client.complete(["Hi", response.message, "Go on"])
