"""The engine and the Inspect provider against a server that we did not write: llama.cpp's."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval
from inspect_ai.event import ModelEvent
from inspect_ai.log import read_eval_log

from flashlite import (
    BadRequestError,
    ContextWindowExceededError,
    Flashlite,
    Message,
    RetryConfig,
    StreamEventType,
)

from .real_server import embedding_server, real_server

__all__ = ["embedding_server", "real_server"]

SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "count": {"type": "integer"}},
    "required": ["colour", "count"],
    "additionalProperties": False,
}
WEATHER = {
    "name": "weather",
    "description": "Look the weather up.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
    },
}


@pytest.fixture
def client(real_server: str) -> Flashlite:
    return Flashlite(
        "openai/tiny",
        base_url=real_server,
        max_tokens=24,
        seed=1,
        retry=RetryConfig(initial_delay=0),  # it closes kept connections whenever it likes
    )


async def test_a_completion_has_text_usage_and_a_reason(client: Flashlite) -> None:
    response = await client.complete([Message.system("Be brief."), Message.user("Hello!")])
    assert response.content
    assert response.finish_reason in ("stop", "length")
    assert response.usage is not None
    assert 0 < response.usage.output_tokens <= 24
    assert response.usage.input_tokens > 5
    assert (response.cost, response.provider, response.raw is not None) == (None, "openai", True)


async def test_the_same_seed_gives_the_same_answer(client: Flashlite) -> None:
    first, second = [await client.complete("Hello!") for _ in range(2)]
    assert first.content == second.content


async def test_a_stream_says_what_the_completion_says(client: Flashlite) -> None:
    whole = await client.complete("Hello!", temperature=0)
    events = [event async for event in client.stream("Hello!", temperature=0)]
    text = "".join(event.data for event in events if event.type is StreamEventType.TOKEN)
    done = events[-1].data
    assert (text, done.content, done.finish_reason) == (
        whole.content,
        whole.content,
        whole.finish_reason,
    )
    assert done.usage is not None
    assert whole.usage is not None
    assert done.usage.output_tokens == whole.usage.output_tokens


@pytest.mark.parametrize("stream", [False, True])
async def test_logprobs_are_there_for_every_token(client: Flashlite, stream: bool) -> None:
    options: dict[str, Any] = {"logprobs": True, "top_logprobs": 3, "max_tokens": 5}
    if stream:
        events = [event async for event in client.stream("Hello!", **options)]
        response = events[-1].data
    else:
        response = await client.complete("Hello!", **options)
    assert response.logprobs is not None
    tokens = response.logprobs["content"]
    assert len(tokens) == response.usage.output_tokens
    assert all(len(token["top_logprobs"]) == 3 and token["logprob"] <= 0 for token in tokens)
    assert all(math.isfinite(token["logprob"]) for token in tokens)


async def test_a_schema_constrains_the_answer(client: Flashlite) -> None:
    response = await client.complete("Give me one.", response_format=SCHEMA, max_tokens=200)
    value = json.loads(response.content)
    assert set(value) == {"colour", "count"}
    assert value["colour"] in ("red", "blue")
    assert isinstance(value["count"], int)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_forced_tool_is_called_with_arguments_that_fit(
    client: Flashlite, stream: bool
) -> None:
    options: dict[str, Any] = {
        "tools": [WEATHER],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_tokens": 200,
    }
    if stream:
        response = [event async for event in client.stream("Weather?", **options)][-1].data
    else:
        response = await client.complete("Weather?", **options)
    [call] = response.tool_calls
    assert (call.name, call.parse_error, response.finish_reason) == ("weather", None, "tool_calls")
    assert set(call.arguments) == {"city"}
    history = [Message.user("Weather?"), response.message, Message.tool_result(call.id, "Sunny.")]
    assert (await client.complete(history, tools=[WEATHER])).finish_reason in ("stop", "length")


async def test_several_choices_come_back(client: Flashlite) -> None:
    response = await client.complete("Hello!", n=2, temperature=1.5)
    assert [choice.index for choice in response.choices] == [0, 1]
    assert all(choice.message.text for choice in response.choices)


async def test_a_prompt_that_is_too_long_is_named_so(client: Flashlite) -> None:
    with pytest.raises(ContextWindowExceededError) as caught:
        await client.complete("word " * 40_000)
    assert caught.value.status_code == 400


async def test_a_request_that_the_server_refuses_is_its_own_words(client: Flashlite) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.complete("Hello!", extra_body={"messages": "not a list"})
    assert caught.value.reason
    assert not caught.value.retryable


async def test_a_cancelled_stream_frees_its_slot(client: Flashlite) -> None:
    async def read_one() -> None:
        async with aclosing(client.stream("Hello!", max_tokens=400, temperature=1.5)) as events:
            async for _ in events:
                return

    await asyncio.wait_for(asyncio.gather(*(read_one() for _ in range(12))), timeout=30)
    assert (await client.complete("Hello!")).content


async def test_a_crowd_is_served(client: Flashlite) -> None:
    responses = await client.complete_many(["Hello!"] * 40, max_concurrency=40)
    assert len({response.id for response in responses}) == 40


def test_a_whole_eval_runs_twice_and_its_log_has_the_raw_calls(
    real_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    for _ in range(2):
        [log] = eval(
            "evals/task.py",
            model="flashlite/openai/tiny",
            model_base_url=real_server,
            limit=20,
            max_tokens=32,
            display="none",
        )
        log = read_eval_log(log.location)
        assert log.status == "success"
        assert log.samples is not None
        assert len(log.samples) == 20
        events = [e for s in log.samples for e in s.events if isinstance(e, ModelEvent)]
        assert len(events) == 20
        assert all(e.error is None and e.output.usage and e.output.time for e in events)
        first = events[0].call
        assert first is not None
        assert first.response is not None
        assert (first.request["model"], first.request["max_tokens"]) == ("tiny", 32)
        assert first.response["choices"]


async def test_a_call_right_after_a_stream_is_served(real_server: str) -> None:
    """llama.cpp closes the connection after each stream, though it promised to keep it.

    Mostly that is seen before a byte goes out, and the call takes another connection unnoticed;
    where the two cross, it is a failure that is worth a retry.
    """
    again = RetryConfig(initial_delay=0)
    client = Flashlite("openai/tiny", base_url=real_server, seed=1, retry=again)
    for _ in range(20):
        streamed = [event async for event in client.stream("Hello!", max_tokens=2)]
        assert streamed[-1].type is StreamEventType.DONE
        assert (await client.complete("Hello!", max_tokens=2)).finish_reason == "length"


async def test_the_model_that_served_is_told_where_the_server_takes_any_name(
    client: Flashlite,
) -> None:
    response = await client.complete("Hello!", model="openai/no-such-model")
    assert response.model == "tiny"


async def test_a_server_embeds_texts_in_both_formats(embedding_server: str) -> None:
    client = Flashlite(
        "llamacpp/tiny", base_url=embedding_server, retry=RetryConfig(initial_delay=0)
    )
    floats = await client.embed(["Hello", "Hello", "Something else"])
    packed = await client.embed(["Hello"], encoding_format="base64")
    assert [len(vector) for vector in floats.embeddings] == [64, 64, 64]
    first, same, other = floats.embeddings
    assert packed.embedding == pytest.approx(first, abs=1e-6)
    assert same == pytest.approx(first, abs=1e-6)
    assert other != pytest.approx(first, abs=1e-3)
    assert floats.usage is not None
    assert floats.usage.input_tokens > 0
    assert floats.usage.output_tokens == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_the_responses_api_has_text_usage_and_a_reason(
    client: Flashlite, stream: bool
) -> None:
    if stream:
        events = [event async for event in client.stream("Hello!", api="responses")]
        response = events[-1].data
        texts = [event.data for event in events if event.type is StreamEventType.TOKEN]
        assert "".join(texts) == response.content
    else:
        response = await client.complete("Hello!", api="responses")
    assert response.content
    assert response.id.startswith("resp_")
    assert (response.finish_reason, response.model) == ("stop", "tiny")
    assert 0 < response.usage.output_tokens <= 24
    assert response.usage.input_tokens > 5


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_over_the_responses_api_goes_back_with_its_result(
    client: Flashlite, stream: bool
) -> None:
    options: dict[str, Any] = {"api": "responses", "tools": [WEATHER], "max_tokens": 200}
    forced = {**options, "tool_choice": "required"}
    if stream:
        response = [event async for event in client.stream("Weather?", **forced)][-1].data
    else:
        response = await client.complete("Weather?", **forced)
    assert response.finish_reason == "tool_calls"
    assert {call.name for call in response.tool_calls} == {"weather"}
    assert [set(call.arguments) for call in response.tool_calls] == [{"city"}] * len(
        response.tool_calls
    )
    results = [Message.tool_result(call.id, "Sunny.") for call in response.tool_calls]
    history = [Message.system("Be brief."), Message.user("Weather?"), response.message, *results]
    answer = await client.complete(history, **options)
    history += [answer.message, Message.user("And now?")]
    assert (await client.complete(history, api="responses")).content
