"""The Responses dialect, one whole answer at a time: what is asked, comes back and goes on."""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings

from flashlite import Flashlite
from flashlite.errors import (
    BadRequestError,
    CompletionError,
    ConfigError,
    ContentPolicyViolationError,
    InternalServerError,
    MalformedResponseError,
)
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply

from .cases import check_answer, load, plain, spoiled

CASES = load("responses")
ASKED = [case for case in CASES if "wire" in case.values[0]]
ANSWERED = [case for case in CASES if "reply" in case.values[0]]
OK = Reply.of({"output": [{"type": "message", "content": [{"type": "output_text", "text": "ok"}]}]})


def client(*replies: Reply, model: str = "openai/m", **options: Any) -> Flashlite:
    """Build a client of the Responses API that does not try again."""
    options = {"api": "responses", "api_key": "a-test-key", **options}
    once = RetryConfig(max_attempts=1)
    return Flashlite(model, transport=ReplayTransport(replies), retry=once, **options)


async def sent(messages: Any, **options: Any) -> Any:
    """Return the body that a call sends."""
    bodies: list[Any] = []
    await client(OK, on_send=bodies.append).complete(messages, **options)
    return bodies[0]


@pytest.mark.parametrize("case", ASKED)
async def test_a_request_goes_out(case: dict[str, Any]) -> None:
    as_given = deepcopy(case)
    transport = ReplayTransport([OK])
    asking = Flashlite("openai/m", api="responses", api_key="a-test-key", transport=transport)
    await asking.complete(**case["request"])
    (request,) = transport.requests
    assert {"url": request.url, "json": request.json} == case["wire"]
    assert request.headers == {"Authorization": "Bearer a-test-key"}
    assert case == as_given


@pytest.mark.parametrize("case", ANSWERED)
async def test_an_answer_comes_back_and_goes_on(case: dict[str, Any]) -> None:
    response = await client(Reply.of(case["reply"])).complete("Hi")
    assert plain(response) == case["response"]
    assert response.raw == case["reply"]
    assert (await sent([response.message, "Go."]))["input"][:-1] == case["back"]
    if "back_if_stored" in case:
        body = await sent([response.message, "Go."], store=True)
        assert body["input"][:-1] == case["back_if_stored"]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "code_interpreter_call", "code": 5, "outputs": [0, {"logs": ["1"]}]},
        {"type": "code_interpreter_call", "code": None, "outputs": 1.5},
        {"type": "custom_tool_call", "call_id": ["call_9"], "name": "sh", "input": "ls"},
        {"type": "image_generation_call", "status": "failed", "result": None},
    ],
)
async def test_an_odd_item_of_an_answer_does_not_end_the_conversation(item: Any) -> None:
    response = await client(Reply.of({"output": [item]})).complete("Hi")
    result = {"role": "tool", "tool_call_id": "call_1", "content": "a.txt"}
    assert response.message["content"] == [item]
    for stored in (False, True):
        items = (await sent([response.message, result], store=stored))["input"]
        assert items[-1] == {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": "a.txt",
        }


async def test_a_picture_that_was_not_made_is_not_shown() -> None:
    item = {"type": "image_generation_call", "status": "failed", "result": None}
    response = await client(Reply.of({"output": [item]})).complete("Hi")
    assert (await sent([response.message, "Go."]))["input"] == [{"role": "user", "content": "Go."}]


async def test_the_result_of_a_custom_call_is_named_so() -> None:
    call = {"type": "custom_tool_call", "call_id": "call_9", "name": "sh", "input": "ls"}
    response = await client(Reply.of({"output": [call]})).complete("Hi")
    result = {"role": "tool", "tool_call_id": "call_9", "content": "a.txt"}
    assert (await sent([response.message, result]))["input"] == [
        call,
        {"type": "custom_tool_call_output", "call_id": "call_9", "output": "a.txt"},
    ]


async def test_a_text_that_was_changed_goes_back_as_one_message_in_its_last_phase() -> None:
    marks = [
        {"type": "message", "id": "msg_1", "phase": "commentary", "length": 5},
        {"type": "message", "id": "msg_2", "phase": "final_answer", "length": 5, "output_index": 1},
    ]
    message = {"role": "assistant", "content": "Cut.", "thinking_blocks": marks}
    [item] = (await sent([message], store=True))["input"]
    assert (item["content"][0]["text"], item["phase"], "id" in item) == (
        "Cut.",
        "final_answer",
        False,
    )


async def test_odd_places_in_a_history_are_no_places() -> None:
    blocks = [
        {"type": "message", "length": "5"},
        {"type": "reasoning", "encrypted_content": "e1", "output_index": "2"},
        {"type": "reasoning", "encrypted_content": "e2", "output_index": -7},
    ]
    message = {"role": "assistant", "content": "Hello", "thinking_blocks": blocks}
    items = (await sent([message, "Go."]))["input"]
    assert [item.get("encrypted_content", item.get("role")) for item in items] == [
        "e1",
        "e2",
        "assistant",
        "user",
    ]


async def test_a_model_that_is_known_to_reason_gives_its_reasoning_encrypted() -> None:
    encrypted = ["reasoning.encrypted_content"]
    assert (await sent("Hi", model="openai/o3"))["include"] == encrypted
    assert "include" not in await sent("Hi", model="openai/gpt-4o")
    assert "include" not in await sent("Hi", model="openai/o3", store=True)


async def test_what_code_that_the_model_runs_prints_is_asked_for_where_it_is_not_stored() -> None:
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    assert (await sent("Hi", tools=tools))["include"] == ["code_interpreter_call.outputs"]
    assert "include" not in await sent("Hi", tools=tools, store=True)


async def test_what_the_api_does_not_know_is_reported_once_and_not_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "flashlite.providers")
    body = await sent("Hi", stop="x", seed=1, frequency_penalty=0.5, top_k=3)
    assert body == {"model": "m", "input": [{"role": "user", "content": "Hi"}], "store": False}
    assert caplog.messages == [
        "openai does not take frequency_penalty, seed, stop, top_k: not sent (reported once)"
    ]
    with pytest.raises(ConfigError, match="openai does not take seed; leave it out"):
        await sent("Hi", seed=1, strict_params=True)


async def test_several_answers_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="the Responses API gives one answer to a request"):
        await sent("Hi", n=2)


async def test_a_background_answer_cannot_be_waited_for() -> None:
    with pytest.raises(ConfigError, match="leave background out"):
        await sent("Hi", extra_body={"background": True})


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "Oops."}}, "s", "Oops."),
        ({"error": {"code": "invalid_prompt", "message": "No."}, "output": []}, "p", "No."),
        ({"status": "failed", "error": {"code": "invalid_image", "message": "?"}}, "b", "?"),
        ({"output": [], "status": "queued"}, "m", """TypeError("its status is 'queued'")"""),
        ({"id": "resp_1"}, "m", "status 200, but the answer has no output"),
    ],
)
async def test_what_is_no_answer_is_an_error(reply: Any, kind: str, reason: str) -> None:
    kinds = {
        "b": BadRequestError,
        "s": InternalServerError,
        "p": ContentPolicyViolationError,
        "m": MalformedResponseError,
    }
    with pytest.raises(kinds[kind]) as caught:
        await client(Reply.of(reply)).complete("Hi")
    assert caught.value.reason.endswith(reason)


WHOLE = {
    "id": "resp_1",
    "model": "m-1",
    "status": "completed",
    "incomplete_details": {"reason": None},
    "error": None,
    "service_tier": "default",
    "output": [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
            "encrypted_content": "e1",
        },
        {
            "type": "message",
            "id": "msg_1",
            "phase": "final_answer",
            "content": [
                {
                    "type": "output_text",
                    "text": "Hello",
                    "annotations": [{"type": "url_citation", "url": "https://x.test"}],
                    "logprobs": [{"token": "a", "logprob": -1.0}],
                },
                {"type": "refusal", "refusal": "No."},
            ],
        },
        {"type": "web_search_call", "id": "ws_1", "action": {"query": "x"}},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    ],
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 150,
    },
}


@settings(deadline=None)
@given(spoiled(WHOLE))
async def test_any_json_in_any_place_is_an_answer_or_a_typed_error(reply: Any) -> None:
    try:
        response = await client(Reply.of(reply), model="openai/gpt-4o").complete("Hi")
    except CompletionError as error:
        assert (error.provider, error.model) == ("openai", "gpt-4o")  # noqa: PT017
    else:
        check_answer(response)
        assert [event.type async for event in response.events()][-1] == "done"
        assert (await sent([response.message, "Go."]))["input"]
        assert (await sent([response.message, "Go."], store=True))["input"]
