"""Gemini's dialect, one whole answer at a time: what is asked, what comes back, what goes wrong."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings

from flashlite import Flashlite
from flashlite.errors import CompletionError, ConfigError
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply

from .cases import check_answer, load, plain, spoiled

SENT_ALWAYS = {"x-goog-api-key": "a-test-key"}
AN_ANSWER = {"candidates": [{"content": {"parts": [{"text": "ok"}]}, "finishReason": "STOP"}]}
OK = {
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ok"},
            "finish_reason": "stop",
        }
    ],
    "provider": "google",
}


async def ask(reply: Any = AN_ANSWER, *messages: Any, **options: Any) -> tuple[Any, Any]:
    """Ask once: what went out, and the answer."""
    transport = ReplayTransport([reply if isinstance(reply, Reply) else Reply.of(reply)])
    client = Flashlite(
        "google/m",
        api_key="a-test-key",
        transport=transport,
        retry=RetryConfig(max_attempts=1),
    )
    response = await client.complete(list(messages) or "Hi", **options)
    return transport.requests[0], response


@pytest.mark.parametrize("case", load("google"))
async def test_a_request_goes_out_and_its_answer_comes_back(case: dict[str, Any]) -> None:
    as_given, asked = deepcopy(case), case["request"]
    transport = ReplayTransport([Reply.of(case.get("reply", AN_ANSWER))])
    client = Flashlite("google/m", api_key="a-test-key", transport=transport)
    response = await client.complete(**asked)
    (sent,) = transport.requests
    assert {"url": sent.url, "json": sent.json} == case["wire"]
    assert sent.headers == SENT_ALWAYS
    assert json.dumps(sent.json) == json.dumps(case["wire"]["json"])  # 0 is not 0.0, nor 1 true
    assert plain(response) == case.get("response", OK)
    assert case == as_given


SIGNED = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "Hm", "thought": True},
                    {
                        "executableCode": {"language": "PYTHON", "code": "1"},
                        "thoughtSignature": "C",
                    },
                    {"text": "Two things.", "thoughtSignature": "T"},
                    {
                        "functionCall": {"id": "x1", "name": "f", "args": {"a": 1}},
                        "thoughtSignature": "S",
                    },
                    {"functionCall": {"id": "x2", "name": "g", "args": {}}},
                ],
            },
            "finishReason": "STOP",
        }
    ]
}


async def test_an_answer_goes_back_as_it_came_but_for_its_thoughts() -> None:
    _, answer = await ask(SIGNED)
    results = [{"role": "tool", "tool_call_id": id, "content": "1"} for id in ("x1", "x2")]
    sent, _ = await ask(AN_ANSWER, "Hi", answer.message, *results, model="google/gemini-3-flash")
    _, *parts = SIGNED["candidates"][0]["content"]["parts"]  # type: ignore[index]
    assert sent.json["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": parts},
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": name, "response": {"output": "1"}, "id": id}}
                for id, name in (("x1", "f"), ("x2", "g"))
            ],
        },
    ]


async def test_ids_that_repeat_in_a_conversation_mean_the_latest_call() -> None:
    def turn(name: str) -> list[dict[str, Any]]:
        call = {"id": "call_0", "type": "function", "function": {"name": name, "arguments": "{}"}}
        return [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_0", "content": name},
        ]

    sent, _ = await ask(AN_ANSWER, "Hi", *turn("f"), *turn("g"))
    named = [
        part["functionResponse"]["name"]
        for content in sent.json["contents"]
        for part in content["parts"]
        if "functionResponse" in part
    ]
    assert named == ["f", "g"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"model": "google/gemini-2.5-pro", "reasoning_effort": "none"},
            "gemini-2.5-pro cannot stop thinking: ask for reasoning_effort='low', its least",
        ),
        (
            {"model": "google/gemini-3-flash-preview", "thinking": {"type": "disabled"}},
            "gemini-3-flash-preview cannot stop thinking: ask for reasoning_effort='minimal', "
            "its least",
        ),
        (
            {"thinking": {"budget_tokens": 9}, "reasoning_effort": "low"},
            "Gemini takes thinking or reasoning_effort, not both: leave one out",
        ),
        ({"thinking": True}, 'thinking is {"budget_tokens": ...}; got True'),
        (
            {"reasoning_effort": "huge"},
            "reasoning_effort is one of none, minimal, low, medium, high, xhigh; got 'huge'",
        ),
        ({"audio": "Kore"}, "audio is not in OpenAI's form: 'Kore'"),
        (
            {"tools": [{"type": "web_search"}]},
            "Gemini has no tool of type 'web_search'; its own are written "
            '{"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}}',
        ),
        (
            {"tools": [{"name": "f"}], "response_format": "json_object"},
            "before Gemini 3 there is no JSON mode beside tools: pass response_model=... or a JSON "
            "schema, or ask for JSON in the prompt",
        ),
        (
            {"tool_choice": {"type": "custom"}},
            "tool_choice is auto, none, required or a tool's name; got {'type': 'custom'}",
        ),
    ],
)
async def test_what_gemini_has_no_word_for_is_said_before_anything_is_sent(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await ask(**options)
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (
            {"role": "system", "content": "Be brief."},
            "Gemini needs a message besides the system's: add a user message",
        ),
        (
            {"role": "tool", "tool_call_id": "x", "content": "1"},
            "a tool result answers the call 'x', and no message before made it",
        ),
        (
            {"role": "user", "content": [{"type": "hologram"}]},
            "Gemini takes no part like {'type': 'hologram'}",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
            "a data URI reads data:image/png;base64,...; got 'data:x'",
        ),
    ],
)
async def test_a_conversation_that_gemini_cannot_follow_says_why(
    message: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await ask(AN_ANSWER, message)
    assert str(caught.value) == complaint


def google_error(code: int, message: str, status: str, *details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "39.5s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


def quota(*ids: str) -> dict[str, Any]:
    return {"violations": [{"quotaId": id} for id in ids]}


MINUTE, DAY = "GenerateRequestsPerMinutePerProject", "GenerateRequestsPerDayPerProject-FreeTier"
EXHAUSTED = "You exceeded your current quota, please check your plan."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            google_error(429, EXHAUSTED, "RESOURCE_EXHAUSTED", quota(MINUTE), RETRY),
            ("RateLimitError", True, 39.5, "RESOURCE_EXHAUSTED"),
        ),
        (
            google_error(429, EXHAUSTED, "RESOURCE_EXHAUSTED", quota(MINUTE, DAY), RETRY),
            ("QuotaExceededError", False, 39.5, "RESOURCE_EXHAUSTED"),
        ),
        (
            google_error(429, "Quota exceeded, limit: 0, model: m", "RESOURCE_EXHAUSTED"),
            ("QuotaExceededError", False, None, "RESOURCE_EXHAUSTED"),
        ),
        (
            [google_error(429, "Resource exhausted.", "RESOURCE_EXHAUSTED")],
            ("RateLimitError", True, None, "RESOURCE_EXHAUSTED"),
        ),
        (
            google_error(400, "API key not valid.", "INVALID_ARGUMENT", BAD_KEY),
            ("AuthenticationError", False, None, "API_KEY_INVALID"),
        ),
        (
            google_error(
                400,
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                "INVALID_ARGUMENT",
            ),
            ("ContextWindowExceededError", False, None, "INVALID_ARGUMENT"),
        ),
        (
            google_error(503, "The model is overloaded.", "UNAVAILABLE"),
            ("InternalServerError", True, None, "UNAVAILABLE"),
        ),
        ({"error": "odd"}, ("NotFoundError", False, None, None)),
        ("<html>", ("NotFoundError", False, None, None)),
    ],
)
async def test_a_refusal_is_a_typed_error(body: Any, expected: tuple[Any, ...]) -> None:
    status = body["error"]["code"] if isinstance(body, dict) and body["error"] != "odd" else 404
    status = 429 if isinstance(body, list) else status
    with pytest.raises(CompletionError) as caught:
        await ask(Reply(status=status, chunks=(json.dumps(body).encode(),)))
    error = caught.value
    assert (type(error).__name__, error.retryable, error.retry_after, error.code) == expected
    assert (error.provider, error.status_code) == ("google", status)


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (
            {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}},
            "ContentPolicyViolationError",
            "the prompt was blocked: SAFETY: No.",
        ),
        (
            {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "f("}]},
            "MalformedResponseError",
            "the model's answer was unusable: MALFORMED_FUNCTION_CALL: f(",
        ),
        (
            {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]},
            "MalformedResponseError",
            "status 200, but the answer is not finished",
        ),
        (
            {"usageMetadata": {}},
            "MalformedResponseError",
            "status 200, but the answer has no candidates",
        ),
        ([], "MalformedResponseError", "status 200, but the answer has no candidates"),
        (
            google_error(500, "Internal.", "INTERNAL"),
            "InternalServerError",
            "Internal.",
        ),
    ],
)
async def test_a_200_without_an_answer_is_a_typed_error(body: Any, kind: str, reason: str) -> None:
    with pytest.raises(CompletionError) as caught:
        await ask(body)
    assert (type(caught.value).__name__, caught.value.reason) == (kind, reason)


WHOLE = {
    "candidates": [
        {
            "index": 0,
            "content": {
                "parts": [
                    {"text": "Hm", "thought": True, "thoughtSignature": "K"},
                    {"text": "Hello", "thoughtSignature": "S"},
                    {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                    {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
                    {"executableCode": {"code": "1"}},
                    {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}},
                ]
            },
            "finishReason": "STOP",
            "finishMessage": "m",
            "citationMetadata": {"citationSources": [{"startIndex": 1, "uri": "u"}]},
            "groundingMetadata": {
                "groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
                "groundingSupports": [
                    {"segment": {"startIndex": 0, "endIndex": 5}, "groundingChunkIndices": [0]}
                ],
            },
            "logprobsResult": {
                "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}]}],
                "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
            },
        }
    ],
    "promptFeedback": {"blockReason": ""},
    "usageMetadata": {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 1,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "cachedContentTokenCount": 3,
        "totalTokenCount": 18,
        "trafficType": "ON_DEMAND",
    },
    "modelVersion": "m-1",
    "responseId": "r1",
    "error": None,
}


@settings(deadline=None)
@given(spoiled(WHOLE))
async def test_any_json_in_any_place_is_an_answer_or_a_typed_error(body: Any) -> None:
    try:
        _, response = await ask(body, model="google/gemini-2.5-flash")
    except CompletionError:
        return
    check_answer(response)


BAD = {
    "error": {
        "code": 429,
        "message": "Too many.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [RETRY, BAD_KEY, quota(DAY)],
    }
}


@settings(deadline=None)
@given(spoiled([BAD]))
async def test_any_json_in_any_place_of_a_refusal_is_a_typed_error(body: Any) -> None:
    with pytest.raises(CompletionError):
        await ask(Reply(status=400, chunks=(json.dumps(body).encode(),)))
