"""The OpenAI dialect, one whole answer at a time: what is asked and what comes back."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings

from flashlite import Flashlite
from flashlite.errors import CompletionError
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply

from .cases import check_answer, load, plain, spoiled

SENT_ALWAYS = {"Authorization": "Bearer a-test-key"}
AN_ANSWER = {
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    ]
}


@pytest.mark.parametrize("case", load("openai"))
async def test_a_request_goes_out_and_its_answer_comes_back(case: dict[str, Any]) -> None:
    as_given, reply = deepcopy(case), case.get("reply", AN_ANSWER)
    transport = ReplayTransport([Reply.of(reply)])
    client = Flashlite("openai/m", api_key="a-test-key", transport=transport)
    response = await client.complete(**case["request"])
    (sent,) = transport.requests
    assert {"url": sent.url, "headers": sent.headers, "json": sent.json} == {
        "headers": SENT_ALWAYS,
        **case["wire"],
    }
    assert _text(sent.json) == _text(case["wire"]["json"])  # 0 is not 0.0, nor 1 true
    expected = case.get("response") or {**AN_ANSWER, "provider": response.provider}
    assert plain(response) == expected
    assert response.raw == reply
    assert case == as_given


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


WHOLE = {
    "id": "chatcmpl-1",
    "model": "m-1",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "Hello"}],
                "reasoning_content": "Hm.",
                "reasoning": "Hm.",
                "refusal": "No.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
                "annotations": [{"type": "url_citation"}],
            },
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "a", "logprob": -1.0}], "refusal": None},
        }
    ],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "cost": 0.5,
        "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 30},
    },
    "error": None,
    "system_fingerprint": "fp_1",
}


@settings(deadline=None)
@given(spoiled(WHOLE))
async def test_any_json_in_any_place_is_an_answer_or_a_typed_error(reply: Any) -> None:
    client = Flashlite(
        "openai/gpt-4o",
        api_key="a-test-key",
        transport=ReplayTransport([Reply.of(reply)]),
        retry=RetryConfig(max_attempts=1),
    )
    try:
        response = await client.complete("Hi")
    except CompletionError as error:
        assert (error.provider, error.model) == ("openai", "gpt-4o")  # noqa: PT017
    else:
        check_answer(response)
        assert [event.type async for event in response.events()][-1] == "done"


async def test_half_an_emoji_and_an_infinite_logprob_do_not_cost_the_answer() -> None:
    body = (
        b'{"choices": [{"message": {"content": "caf\\u00e9 \\ud83d!"}, "finish_reason": "stop",'
        b' "logprobs": {"content": [{"token": "x", "logprob": -Infinity}]}}]}'
    )
    transport = ReplayTransport([Reply(chunks=(body,))])
    response = await Flashlite("openai/m", transport=transport, api_key="key-0").complete("Hi")
    assert (response.content, response.logprobs) == (
        "café ?!",
        {"content": [{"token": "x", "logprob": float("-inf")}]},
    )
