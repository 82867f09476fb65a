"""Structured: ask for a shape, check it, ask again, count everything."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from flashlite import Flashlite
from flashlite.errors import (
    APIConnectionError,
    BudgetExceededError,
    CompletionError,
    FlashliteError,
    RateLimitError,
    StructuredOutputError,
)
from flashlite.middleware import Retry, RetryConfig, stack
from flashlite.middleware.structured import Structured
from flashlite.providers.mock import MockProvider
from flashlite.testing import ScriptedProvider
from flashlite.types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    Message,
    Target,
    Timeout,
    ToolCall,
    Usage,
)


class Task(BaseModel):
    title: str
    points: int = Field(ge=1)


GOOD, BAD = '{"title": "sleep", "points": 3}', '{"title": "sleep", "points": 0}'
TASK = Task(title="sleep", points=3)
HELLO = Message.user("Hi")
REQUEST = CompletionRequest(model="m", messages=(HELLO,), response_model=Task)
USED = Usage(input_tokens=10, output_tokens=5, total_cost=0.5)
COMPLAINT = (
    "points: Input should be greater than or equal to 1; got 0\n\n"
    "Answer with the whole corrected JSON, and nothing else."
)


def target(request: CompletionRequest) -> Target:
    return Target(provider="custom", dialect="openai", model=request.model)


LAYER = Structured(target=target)


def used(text: str, **fields: Any) -> CompletionResponse:
    return CompletionResponse.of(text, **({"usage": USED} | fields))


def script(*answers: str | CompletionResponse | BaseException) -> ScriptedProvider:
    return ScriptedProvider(answers)


async def failing(provider: Any, request: CompletionRequest = REQUEST) -> StructuredOutputError:
    with pytest.raises(StructuredOutputError) as caught:
        await LAYER(request, provider)
    return caught.value


async def test_a_request_without_a_shape_passes_through_as_it_is() -> None:
    provider, request = script(BAD), REQUEST.with_(response_model=None)
    response = await LAYER(request, provider)
    assert (response.content, response.parsed) == (BAD, None)
    assert provider.requests[0] is request


async def test_an_answer_that_fits_is_an_instance() -> None:
    provider = script(used(GOOD))
    response = await LAYER(REQUEST, provider)
    assert (response.parsed, response.usage, response.wasted) == (TASK, USED, None)
    assert len(provider.requests) == 1


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_was_wrong() -> None:
    provider = script(BAD, "Sorry.", GOOD)
    response = await LAYER(REQUEST, provider)
    first, second, third = provider.requests
    assert response.parsed == TASK
    assert second.messages == (HELLO, Message.assistant(BAD), Message.user(COMPLAINT))
    assert third.messages[1:] == (
        Message.assistant("Sorry."),
        Message.user(
            "there is no JSON in the answer\n\n"
            "Answer with the whole corrected JSON, and nothing else."
        ),
    )
    assert first.params == second.params == third.params
    assert REQUEST.messages == (HELLO,)


async def test_usage_and_attempts_are_those_of_all_tries() -> None:
    provider = script(used(BAD, attempts=2), used(GOOD, attempts=3))
    response = await LAYER(REQUEST, provider)
    assert (response.usage, response.wasted, response.attempts) == (USED + USED, USED, 5)


async def test_what_is_known_of_the_usage_is_counted() -> None:
    response = await LAYER(REQUEST, script(used(BAD), used(BAD, usage=None), used(GOOD)))
    assert (response.usage, response.wasted) == (USED + USED, USED)
    response = await LAYER(REQUEST, script(BAD, GOOD))
    assert (response.usage, response.wasted) == (None, None)


async def test_an_empty_answer_is_not_sent_back() -> None:
    provider = script("", GOOD)
    await LAYER(REQUEST, provider)
    assert [message.role for message in provider.requests[1].messages] == ["user", "user"]


@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_after_the_last_try_the_error_says_what_was_wrong(retries: int) -> None:
    provider = script(*[used(BAD, model="m", provider="p") for _ in range(9)])
    error = await failing(provider, REQUEST.with_(structured_retries=retries))
    tries = "1 try" if retries == 0 else f"{retries + 1} tries"
    assert error.reason == (
        f"the answer did not fit Task after {tries}: "
        "points: Input should be greater than or equal to 1; got 0"
    )
    assert len(provider.requests) == error.attempts == retries + 1
    total = sum([USED] * retries, USED)
    assert (error.usage, error.response.usage, error.response.wasted) == (total, total, total)
    assert (error.response.ok, error.retryable, error.provider, error.model) == (
        False,
        False,
        "p",
        "m",
    )


async def test_an_answer_that_was_cut_off_is_wrong_and_the_error_says_so() -> None:
    cut = [used(GOOD[:-5], finish_reason="length") for _ in range(3)]
    provider = script(*cut)
    error = await failing(provider)
    assert error.reason == (
        "the answer did not fit Task after 3 tries: "
        "the answer was cut off by max_tokens before it was finished"
    )
    assert (
        provider.requests[1]
        .messages[-1]
        .text.endswith("Answer with the whole JSON again, but shorter, and nothing else.")
    )


@pytest.mark.parametrize(
    "answer",
    [
        CompletionResponse.of(None, tool_calls=[ToolCall("1", "look", {})]),
        CompletionResponse.of("half", finish_reason="content_filter"),
        CompletionResponse(
            choices=(Choice(message=Message.assistant(None, refusal="No."), finish_reason="stop"),)
        ),
    ],
    ids=["tools", "filter", "refusal"],
)
async def test_tool_calls_and_refusals_are_returned_as_they_are(answer: CompletionResponse) -> None:
    provider = script(answer)
    response = await LAYER(REQUEST, provider)
    assert (response, response.parsed, len(provider.requests)) == (answer, None, 1)


async def test_a_refusal_after_a_wrong_answer_counts_what_that_used() -> None:
    refused = used("half", finish_reason="content_filter")
    response = await LAYER(REQUEST, script(used(BAD), refused))
    assert (response.parsed, response.usage, response.wasted) == (None, USED + USED, USED)


async def test_only_the_first_choice_is_read() -> None:
    choices = [
        Choice(message=Message.assistant(text), finish_reason="stop") for text in (GOOD, BAD)
    ]
    response = await LAYER(REQUEST, script(CompletionResponse(choices=tuple(choices))))
    assert response.parsed == TASK


async def test_a_list_is_asked_for_and_read() -> None:
    request = REQUEST.with_(response_model=list[Task])
    response = await LAYER(request, script(json.dumps({"value": [json.loads(GOOD)]})))
    assert response.parsed == [TASK]
    error = await failing(script("{}", "{", "no"), request)
    assert "did not fit list[" in error.reason


async def test_an_error_before_any_answer_passes_as_it_is() -> None:
    failure = RateLimitError("slow down")
    with pytest.raises(RateLimitError) as caught:
        await LAYER(REQUEST, script(failure))
    assert (caught.value is failure, failure.usage, failure.attempts) == (True, None, 1)


async def test_an_error_in_a_later_try_tells_what_those_before_used() -> None:
    failure = APIConnectionError("lost")
    failure.usage = USED
    failure.attempts = 2
    with pytest.raises(CompletionError):
        await LAYER(REQUEST, script(used(BAD, attempts=3), failure))
    assert (failure.usage, failure.attempts) == (USED + USED, 5)


async def test_a_budget_that_ends_between_two_tries_tells_too() -> None:
    broke = BudgetExceededError("no money", limit=1, spent=1, needed=1)
    with pytest.raises(FlashliteError):
        await LAYER(REQUEST, script(used(BAD), broke))
    assert broke.usage == USED


async def test_later_tries_get_the_time_that_is_left() -> None:
    now = iter([100.0, 130.0, 161.0])
    layer = Structured(target=target, clock=lambda: next(now))
    provider = script(BAD, BAD, GOOD)
    request = REQUEST.with_(timeout=Timeout(total=60.0, connect=5.0))
    with pytest.raises(StructuredOutputError, match="after 2 tries"):
        await layer(request, provider)
    assert [asked.timeout.total for asked in provider.requests] == [60.0, 30.0]
    assert provider.requests[1].timeout.connect == 5.0


async def test_without_a_total_time_there_is_always_time() -> None:
    provider = script(BAD, GOOD)
    await LAYER(REQUEST.with_(timeout=Timeout(total=None)), provider)
    assert provider.requests[1].timeout.total is None


async def test_each_try_has_its_own_retries_below() -> None:
    async def sleep(seconds: float) -> None: ...

    provider = script(RateLimitError("no"), used(BAD), RateLimitError("no"), used(GOOD))
    retry = Retry(RetryConfig(max_attempts=2), sleep=sleep)
    response = await stack([LAYER, retry], provider)(REQUEST)
    assert (response.parsed, response.attempts) == (TASK, 4)


async def test_a_cancelled_second_try_leaves_what_the_first_one_cost() -> None:
    came = asyncio.Event()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        if len(request.messages) == 1:
            return CompletionResponse.of("no JSON", usage=Usage(input_tokens=3, total_cost=0.5))
        came.set()
        return await asyncio.Future[CompletionResponse]()

    client = Flashlite("m", provider=provider)
    task = asyncio.create_task(client.complete("Hi", response_model=Task))
    await came.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (client.total_cost, client.ledger.total.wasted) == (0.5, 0.5)


async def test_cancelling_ends_a_try_and_asks_no_more() -> None:
    waiting, asked = asyncio.Event(), list[CompletionRequest]()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        asked.append(request)
        if len(asked) == 2:
            waiting.set()
            await asyncio.Event().wait()
        return CompletionResponse.of(BAD)

    task = asyncio.ensure_future(stack([LAYER], provider)(REQUEST))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asked) == 2


async def test_a_hundred_calls_at_once_keep_their_own_tries() -> None:
    async def provider(request: CompletionRequest) -> CompletionResponse:
        number, tries = int(request.messages[0].text), len(request.messages)
        await asyncio.sleep(0)
        points = 0 if number % 2 and tries == 1 else number + 1
        return used(json.dumps({"title": "t", "points": points}))

    requests = [REQUEST.with_(messages=(Message.user(str(n)),)) for n in range(100)]
    responses = await asyncio.gather(*(LAYER(request, provider) for request in requests))
    assert [response.parsed.points for response in responses] == list(range(1, 101))
    assert [response.attempts for response in responses] == [1 + n % 2 for n in range(100)]


async def test_client_layer_and_provider_agree_over_the_wire() -> None:
    client = Flashlite("mock/json", provider=MockProvider("json"))
    response = await client.ask("Hi", response_model=Task)
    assert response.parsed == Task(title="text", points=1)


async def test_a_mistake_is_mended_over_the_wire() -> None:
    answers: list[Any] = [BAD, {"content": None, "refusal": None}, f"```json\n{GOOD}\n```"]
    provider = MockProvider("script", answers=answers)
    client = Flashlite("mock/script", provider=provider)
    response = await client.ask("Hi", response_model=Task)
    assert response.usage is not None
    assert response.wasted is not None
    assert (response.parsed, response.attempts) == (TASK, 3)
    assert response.usage.input_tokens > response.wasted.input_tokens > 0
