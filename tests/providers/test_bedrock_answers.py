"""The Bedrock dialect, one whole answer at a time: what is asked and what comes back."""

from __future__ import annotations

import json
import logging
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel

from flashlite import Flashlite, Message
from flashlite.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    CompletionError,
    ConfigError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)
from flashlite.middleware import RetryConfig
from flashlite.models import cost, lookup
from flashlite.providers.adapter import Endpoint
from flashlite.providers.bedrock.adapter import BedrockAdapter
from flashlite.providers.hosts import BY_PREFIX
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import CompletionRequest

from .cases import check_answer, load, plain, spoiled

SENT_ALWAYS = {"Authorization": "Bearer a-test-key"}
MODEL = "bedrock/us.acme.model-v1:0"
SONNET = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ONCE = RetryConfig(max_attempts=1)


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


def answer(*content: Any, stop: str = "end_turn", **more: Any) -> Reply:
    message = {"role": "assistant", "content": list(content)}
    return Reply.of({"output": {"message": message}, "stopReason": stop, **more})


def engine(*replies: Reply, model: str = MODEL, **options: Any) -> tuple[Flashlite, Any]:
    transport = ReplayTransport(replies or [answer({"text": "ok"})])
    client = Flashlite(model, api_key="a-test-key", transport=transport, retry=ONCE, **options)
    return client, transport


@pytest.mark.parametrize("case", load("bedrock"))
async def test_a_request_goes_out_and_its_answer_comes_back(case: dict[str, Any]) -> None:
    as_given = deepcopy(case)
    client, transport = engine(*([Reply.of(case["reply"])] if "reply" in case else []))
    response = await client.complete(**case["request"])
    (sent,) = transport.requests
    assert sent.headers == SENT_ALWAYS
    if "wire" in case:
        assert {"url": sent.url, "json": sent.json} == case["wire"]
        assert _text(sent.json) == _text(case["wire"]["json"])  # 0 is not 0.0, nor 1 true
    else:
        assert plain(response) == case["response"]
        assert response.raw == case["reply"]
    assert case == as_given


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


async def test_an_answer_goes_back_as_it_came() -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"text": "Let me see."},
        {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Bern"}}},
        {"toolUse": {"toolUseId": "tooluse_2", "name": "weather", "input": {}}},
    ]
    client, transport = engine(
        answer(*content, stop="tool_use"), answer({"text": "ok"}), model=SONNET
    )
    tools = [{"name": "weather"}]
    first = await client.complete("Weather?", tools=tools)
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": "Sunny"}
        for call in first.tool_calls or ()
    ]
    history = [{"role": "user", "content": "Weather?"}, first.message, *results]
    await client.complete(history, tools=tools)
    assert transport.requests[1].json["messages"] == [
        {"role": "user", "content": [{"text": "Weather?"}]},
        {"role": "assistant", "content": content},
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": id, "content": [{"text": "Sunny"}]}}
                for id in ("tooluse_1", "tooluse_2")
            ],
        },
    ]


async def test_the_prompt_is_priced_with_what_the_cache_read_and_wrote() -> None:
    usage = {
        "inputTokens": 100,
        "outputTokens": 10,
        "totalTokens": 1610,
        "cacheReadInputTokens": 1000,
        "cacheWriteInputTokens": 500,
    }
    client, _ = engine(answer({"text": "ok"}, usage=usage), model=SONNET)
    response = await client.complete("Hi")
    profile = lookup(SONNET)
    assert profile is not None
    assert response.usage == cost(response.usage, profile.prices)
    assert response.cost == pytest.approx(
        100 * profile.prices.input
        + 1000 * profile.prices.cached_input
        + 500 * profile.prices.cache_write
        + 10 * profile.prices.output
    )


async def test_an_arn_is_priced_by_the_id_that_it_ends_with() -> None:
    arn = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{SONNET.partition('/')[2]}"
    assert lookup(f"bedrock/{arn}") == lookup(SONNET)
    assert lookup("bedrock/arn:aws:bedrock:us-east-1:1:application-inference-profile/ab") is None


class City(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("model", "is_native"),
    [
        (SONNET, True),
        ("bedrock/us.amazon.nova-pro-v1:0", False),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", False),
        ("bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab", False),
    ],
)
async def test_a_shape_is_asked_for_natively_where_the_model_is_known_to_take_it(
    model: str, is_native: bool
) -> None:
    client, transport = engine(answer({"text": '{"name": "Bern"}'}))
    city = await client.complete("Which?", model=model, response_model=City)
    assert city == City(name="Bern")
    (sent,) = transport.requests
    assert ("outputConfig" in sent.json, "system" in sent.json) == (is_native, not is_native)


def test_a_history_is_not_changed_by_being_sent() -> None:
    document = {"document": {"format": "txt", "name": "a", "source": {"text": "Hi"}}}
    messages = (Message.user([deepcopy(document), deepcopy(document)]),)
    endpoint = Endpoint(host=BY_PREFIX["bedrock"], base_url="https://bedrock.example")
    wire = BedrockAdapter().build_request(CompletionRequest(model="m", messages=messages), endpoint)
    blocks = wire.json["messages"][0]["content"]
    assert [block["document"]["name"] for block in blocks] == ["a", "a 2"]
    assert messages == (Message.user([document, document]),)


async def test_what_bedrock_does_not_take_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, transport = engine(answer({"text": "ok"}), answer({"text": "ok"}))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            await client.complete("Hi", seed=1, logprobs=True, presence_penalty=0.5)
    assert caplog.messages == [
        "bedrock does not take logprobs, presence_penalty, seed: not sent (reported once)"
    ]
    assert "inferenceConfig" not in transport.requests[0].json


async def test_a_budget_for_thinking_goes_with_a_limit_for_the_answer() -> None:
    client, transport = engine(model=SONNET)
    profile = lookup(SONNET)
    assert profile is not None
    await client.complete("Hi", thinking={"type": "enabled", "budget_tokens": 2000})
    assert transport.requests[0].json["inferenceConfig"] == {"maxTokens": profile.max_output_tokens}


async def test_a_model_that_minds_sampling_is_not_told_it(caplog: pytest.LogCaptureFixture) -> None:
    client, transport = engine(model="bedrock/us.anthropic.claude-opus-4-8")
    with caplog.at_level(logging.WARNING):
        await client.complete("Hi", temperature=0.5, max_tokens=9)
    assert transport.requests[0].json["inferenceConfig"] == {"maxTokens": 9}
    assert caplog.messages == [
        "us.anthropic.claude-opus-4-8 does not take temperature: not sent (reported once)"
    ]


def user(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"n": 2}, "bedrock gives one answer to a request: instead of n, ask with sample=0, 1, "),
        ({"response_format": "json_object"}, "bedrock has no JSON mode without a schema: pass"),
        ({"response_format": "json_schema"}, 'response_format is {"type": "json_schema", '),
        ({"tools": [{"name": "f"}], "tool_choice": {"type": "function"}}, "tool_choice is auto, "),
        ({"thinking": True}, "thinking is {"),
        ({"model": SONNET, "thinking": True}, "thinking is {"),
        (
            {"messages": user({"type": "image_url", "image_url": "data:x"})},
            "a data URI reads data:",
        ),
        ({"reasoning_effort": "low"}, "us.acme.model-v1:0 takes no reasoning_effort on Bedrock"),
        (
            {"model": SONNET, "reasoning_effort": "low", "max_tokens": 1000},
            "thinks with 1024 tokens or more",
        ),
        (
            {"tools": [{"name": "f"}], "parallel_tool_calls": False},
            "us.acme.model-v1:0 cannot be kept from parallel calls",
        ),
        ({"tools": [{"type": "web_search"}]}, "bedrock takes functions for tools"),
        (
            {"messages": user({"type": "file", "file": {"file_id": "file-1"}})},
            "bedrock takes media as bytes or from S3",
        ),
        (
            {"messages": user({"type": "file", "file": {"file_data": "data:x/y;base64,QQ=="}})},
            "bedrock takes no x/y file",
        ),
        ({"messages": user({"type": "hologram"})}, "bedrock takes no part of type 'hologram'"),
        ({"messages": user({"type": "image_url"})}, "bedrock takes no part like {'type': 'image_"),
    ],
)
async def test_what_cannot_be_said_is_the_callers_to_change(
    request_: dict[str, Any], said: str
) -> None:
    client, transport = engine()
    with pytest.raises(ConfigError) as caught:
        await client.complete(**{"messages": "Hi", **request_})
    assert said in str(caught.value)
    assert transport.requests == []


TYPES = "x-amzn-errortype"
REFUSALS: list[tuple[int, dict[str, str], Any, type[CompletionError], str | None, bool]] = [
    (
        429,
        {TYPES: "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/"},
        {"message": "Too many requests, please wait before trying again."},
        RateLimitError,
        "ThrottlingException",
        True,
    ),
    (
        429,
        {TYPES: "ThrottlingException"},
        {"message": "Too many tokens per day, please wait before trying again."},
        QuotaExceededError,
        "ThrottlingException",
        False,
    ),
    (
        429,
        {TYPES: "ModelNotReadyException"},
        {"message": "Model is not ready for inference."},
        RateLimitError,
        "ModelNotReadyException",
        True,
    ),
    (
        400,
        {TYPES: "ValidationException"},
        {"message": "Input is too long for requested model."},
        ContextWindowExceededError,
        "ValidationException",
        False,
    ),
    (
        400,
        {TYPES: "ValidationException"},
        {"message": "The provided model identifier is invalid."},
        BadRequestError,
        "ValidationException",
        False,
    ),
    (
        403,
        {TYPES: "AccessDeniedException"},
        {"Message": "You don't have access to the model with the specified model ID."},
        PermissionDeniedError,
        "AccessDeniedException",
        False,
    ),
    (
        403,
        {TYPES: "ExpiredTokenException"},
        {"message": "The security token included in the request is expired"},
        AuthenticationError,
        "ExpiredTokenException",
        False,
    ),
    (
        403,
        {},
        {"__type": "com.amazon.coral.service#UnrecognizedClientException", "message": "Invalid."},
        AuthenticationError,
        "UnrecognizedClientException",
        False,
    ),
    (
        400,
        {TYPES: "ServiceQuotaExceededException"},
        {"message": "Your request exceeds the service quota for your account."},
        QuotaExceededError,
        "ServiceQuotaExceededException",
        False,
    ),
    (
        404,
        {TYPES: "ResourceNotFoundException"},
        {"message": "This model version has reached the end of its life."},
        NotFoundError,
        "ResourceNotFoundException",
        False,
    ),
    (
        408,
        {TYPES: "ModelTimeoutException"},
        {"message": "Model has timed out."},
        APIStatusError,
        "ModelTimeoutException",
        True,
    ),
    (
        424,
        {TYPES: "ModelErrorException"},
        {"message": "The model failed.", "originalStatusCode": 500},
        APIStatusError,
        "ModelErrorException",
        True,
    ),
    (503, {}, "busy", InternalServerError, None, True),
    (500, {}, None, InternalServerError, None, True),
    (500, {}, ["odd"], InternalServerError, None, True),
]


@pytest.mark.parametrize(("status", "headers", "body", "kind", "code", "retryable"), REFUSALS)
async def test_a_refusal_is_typed_in_awss_own_words(
    status: int, headers: dict[str, str], body: Any, kind: type, code: str | None, retryable: bool
) -> None:
    given = {"x-amzn-requestid": "req-1", **headers}
    client, _ = engine(Reply.of(body, status=status, headers=given))
    with pytest.raises(CompletionError) as caught:
        await client.complete("Hi")
    error = caught.value
    assert (type(error), error.code, error.retryable) == (kind, code, retryable)
    assert (error.status_code, error.request_id, error.body) == (status, "req-1", body)
    if isinstance(body, dict):
        assert error.reason in body.values()


@pytest.mark.parametrize("stop", ["malformed_model_output", "malformed_tool_use"])
async def test_an_answer_that_the_model_could_not_write_is_none(stop: str) -> None:
    client, _ = engine(answer({"text": "Hel"}, stop=stop))
    with pytest.raises(CompletionError) as caught:
        await client.complete("Hi")
    assert caught.value.reason == f"the model broke the answer off: {stop}"
    assert caught.value.retryable


WHOLE = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"text": "Hello"},
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "cmVk"}},
                {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}, "type": "x"}},
                {
                    "citationsContent": {
                        "content": [{"text": "So."}],
                        "citations": [{"title": "A", "location": {"web": {"url": "https://a.b"}}}],
                    }
                },
                {"image": {"format": "png", "source": {"bytes": "QQ=="}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {
        "inputTokens": 1,
        "outputTokens": 2,
        "totalTokens": 6,
        "cacheReadInputTokens": 3,
        "cacheWriteInputTokens": 4,
    },
    "metrics": {"latencyMs": 5},
    "trace": {"promptRouter": {"invokedModelId": "m"}},
    "serviceTier": {"type": "default"},
}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoiled(WHOLE))
async def test_any_json_in_any_place_is_an_answer_or_a_typed_error(reply: Any) -> None:
    client, _ = engine(Reply.of(reply), model=SONNET)
    try:
        response = await client.complete("Hi")
    except CompletionError as error:
        assert (error.provider, error.model) == ("bedrock", SONNET.partition("/")[2])  # noqa: PT017
    else:
        check_answer(response)
