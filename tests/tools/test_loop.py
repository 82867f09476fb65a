"""The loop: every call gets one result, nothing that was paid is lost, and nothing is left over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import (
    AuthenticationError,
    CompletionError,
    CompletionResponse,
    ConfigError,
    Flashlite,
    Message,
    StructuredOutputError,
    ToolCall,
    ToolLoop,
    ToolRegistry,
    ToolResult,
    Usage,
    run_tool_loop,
    tool,
)
from flashlite.testing import ScriptedProvider
from flashlite.tools import CallRunner

from ..virtual_time import now, virtual_time


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def wait(seconds: float) -> float:
    """Wait."""
    await asyncio.sleep(seconds)
    return now()


USAGE = Usage(input_tokens=10, output_tokens=2, input_cost=1.0, output_cost=0.5, total_cost=1.5)


def calls(*wanted: ToolCall, usage: Usage | None = USAGE, content: str | None = None) -> Any:
    return CompletionResponse.of(
        content, tool_calls=list(wanted), finish_reason="tool_calls", usage=usage
    )


def says(text: str, *, usage: Usage | None = USAGE, **fields: Any) -> CompletionResponse:
    return CompletionResponse.of(text, usage=usage, **fields)


def scripted(*answers: Any) -> tuple[Flashlite, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    return Flashlite("m", provider=provider), provider


def results(messages: Sequence[Message]) -> dict[str, Any]:
    """Return what the model read for each call."""
    return {str(m.tool_call_id): m.content for m in messages if m.get("role") == "tool"}


ONE, TWO = ToolCall("1", "add", {"a": 1, "b": 2}), ToolCall("2", "add", {"a": 3, "b": 4})
ASKED = calls(ONE, TWO, content="Let me see.")


async def test_a_model_calls_tools_until_it_answers() -> None:
    answer = says("3 and 7")
    client, provider = scripted(ASKED, answer)
    result = await run_tool_loop(client, "How much?", [add], temperature=0)
    history = [
        Message.user("How much?"),
        ASKED.message,
        Message.tool_result("1", "3", name="add"),
        Message.tool_result("2", "7", name="add"),
    ]
    assert (result.content, result.stop_reason, result.iterations) == ("3 and 7", "stop", 1)
    assert result.messages == [*history, answer.message]
    assert result.tool_calls_made == [ONE, TWO]
    assert result.tool_results == [
        ToolResult(content=3, name="add", call_id="1"),
        ToolResult(content=7, name="add", call_id="2"),
    ]
    assert (result.usage, result.cost) == (USAGE + USAGE, 3.0)
    assert (result.responses, result.response) == ([ASKED, answer], answer)
    assert [request.messages for request in provider.requests] == [
        (history[0],),
        tuple(history),
    ]
    assert [request.tools for request in provider.requests] == [(add.to_openai(),)] * 2
    assert provider.requests[1].params == {"temperature": 0}


async def test_a_model_that_calls_nothing_answers_at_once() -> None:
    client, provider = scripted(says("Hi", finish_reason="length"))
    result = await run_tool_loop(client, "Hi", [], model="n")
    assert (result.content, result.stop_reason, result.iterations) == ("Hi", "length", 0)
    assert (provider.requests[0].tools, provider.requests[0].model) == ((), "n")


async def test_what_is_unknown_of_one_answer_is_unknown_of_all() -> None:
    client, _ = scripted(calls(ONE, usage=None), says("ok"))
    result = await run_tool_loop(client, "Hi", [add])
    assert (result.usage, result.cost) == (None, None)
    free = Usage(input_tokens=5)
    client, _ = scripted(calls(ONE, usage=free), says("ok"))
    result = await run_tool_loop(client, "Hi", [add])
    assert (result.usage, result.cost) == (USAGE + free, None)


async def test_calls_that_fail_are_told_to_the_model() -> None:
    @tool
    def broken() -> None:
        raise RuntimeError("out of order")

    wrong = [
        ToolCall("1", "sub", {}),
        ToolCall("2", "add", {"a": 1}),
        ToolCall("3", "broken"),
        ToolCall("4", "add", "[1]"),
        ToolCall("5", "add", {"a": 1, "b": 1}),
    ]
    client, _ = scripted(calls(*wrong), says("sorry"))
    result = await run_tool_loop(client, "Hi", [add, broken])
    assert results(result.messages) == {
        "1": "Error: there is no tool named 'sub'; there are: add, broken",
        "2": "Error: the arguments do not fit:\nb: Field required",
        "3": "Error: RuntimeError: out of order",
        "4": "Error: the arguments are not a JSON object: [1]",
        "5": "2",
    }
    assert result.content == "sorry"


async def test_an_error_may_end_the_loop() -> None:
    client, _ = scripted(calls(ToolCall("1", "sub", {}), TWO))
    result = await run_tool_loop(client, "Hi", [add], stop_on_tool_error=True)
    assert (result.stop_reason, result.tool_results[1].content) == ("tool_error", 7)


async def test_the_last_round_is_read_and_no_further_one_run() -> None:
    client, provider = scripted(calls(ONE), calls(TWO), calls(ONE))
    result = await run_tool_loop(client, "Hi", [add], max_iterations=2)
    assert (result.stop_reason, result.iterations) == ("max_iterations", 2)
    assert len(provider.requests) == 3
    assert result.messages[-1].content == (
        "Error: not run: the limit of 2 rounds of calls is reached"
    )
    assert len(result.tool_calls_made) == len(result.tool_results) == 3


async def test_calls_beyond_the_limit_of_a_turn_are_not_run() -> None:
    client, _ = scripted(ASKED, says("ok"))
    result = await run_tool_loop(client, "Hi", [add], max_tool_calls_per_turn=1)
    assert results(result.messages) == {"1": "3", "2": "Error: not run: at most 1 calls at a time"}


@pytest.mark.parametrize(("parallel", "ends"), [(True, [5, 2, 4]), (False, [5, 7, 11])])
def test_calls_run_at_once_or_in_turn_and_results_keep_their_order(
    parallel: bool, ends: list[float]
) -> None:
    @virtual_time
    async def test() -> None:
        asked = calls(*(ToolCall(str(n), "wait", {"seconds": n}) for n in (5, 2, 4)))
        client, _ = scripted(asked, says("ok"))
        told: list[Any] = []
        result = await run_tool_loop(
            client, "Hi", [wait], parallel_tool_execution=parallel, on_tool_result=told.append
        )
        assert [one.content for one in result.tool_results] == ends
        assert [message.tool_call_id for message in result.messages[2:5]] == ["5", "2", "4"]
        assert [one.content for one in told] == sorted(ends)

    test()


@virtual_time
async def test_a_tool_that_takes_too_long_holds_nobody_up() -> None:
    asked = calls(*(ToolCall(str(n), "wait", {"seconds": n}) for n in (60, 2)))
    client, _ = scripted(asked, says("ok"))
    result = await run_tool_loop(client, "Hi", [wait], tool_timeout=5)
    assert results(result.messages) == {"60": "Error: it took longer than 5 s", "2": "2.0"}
    assert now() == 5


async def test_callbacks_hear_of_answers_calls_and_results() -> None:
    heard: list[Any] = []

    async def later(news: Any) -> None:
        await asyncio.sleep(0)
        heard.append(news)

    client, _ = scripted(calls(ToolCall("1", "sub", {})), answer := says("ok"))
    result = await run_tool_loop(
        client, "Hi", [add], on_response=heard.append, on_tool_call=later, on_tool_result=later
    )
    assert heard == [result.responses[0], ToolCall("1", "sub", {}), result.tool_results[0], answer]


async def test_a_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError

    client, _ = scripted(calls(ONE), says("ok"))
    with caplog.at_level(logging.ERROR, "flashlite.tools"):
        result = await run_tool_loop(client, "Hi", [add], on_tool_call=broken)
    assert (result.content, caplog.messages) == ("ok", ["the callback broken failed"])


async def test_calls_may_be_refused() -> None:
    async def later(call: ToolCall) -> Any:
        return verdicts[call.id]

    verdicts = {"1": True, "2": "ask my boss", "3": False, "4": None, "5": 1}
    asked: list[str] = []

    def at_once(call: ToolCall) -> Any:
        asked.append(call.id)
        return verdicts[call.id]

    wanted = [ToolCall(number, "add", {"a": 1, "b": 1}) for number in verdicts]
    unknown = ToolCall("6", "sub", {})
    for approve in (later, at_once):
        client, _ = scripted(calls(*wanted, unknown), says("ok"))
        result = await run_tool_loop(client, "Hi", [add], approve=approve)
        assert results(result.messages) == {
            "1": "2",
            "2": "Error: ask my boss",
            "3": "Error: the call was not approved",
            "4": "Error: the call was not approved",
            "5": "Error: the call was not approved",
            "6": "Error: there is no tool named 'sub'; there are: add",
        }
    assert asked == ["1", "2", "3", "4", "5"]


async def test_nothing_runs_when_approval_itself_fails() -> None:
    def approve(call: ToolCall) -> bool:
        raise LookupError(call.id)

    ran: list[Any] = []
    client, _ = scripted(calls(ONE))
    with pytest.raises(LookupError, match="1"):
        await run_tool_loop(client, "Hi", [add], approve=approve, on_tool_call=ran.append)
    assert ran == []


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", ["auto", "auto"]), ("required", ["required", None]), ("add", [..., None])],
)
async def test_a_choice_that_forces_a_call_does_so_once(choice: str, sent: list[Any]) -> None:
    client, provider = scripted(calls(ONE), says("ok"))
    await run_tool_loop(client, "Hi", [add], tool_choice=choice)
    named = {"type": "function", "function": {"name": "add"}}
    wanted = [named if one is ... else one for one in sent]
    assert [request.params.get("tool_choice") for request in provider.requests] == wanted


class OutOfTime(Exception):
    """What a client may want raised, whatever a tool does."""


@pytest.mark.parametrize("parallel", [True, False])
def test_what_is_fatal_is_raised_and_leaves_nothing_running(parallel: bool) -> None:
    failure, ended = OutOfTime("no more"), list[float]()

    @tool
    async def fail() -> None:
        await asyncio.sleep(1)
        raise failure

    @tool
    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(now())

    @virtual_time
    async def test() -> None:
        tools = ToolRegistry([add, fail, hang])
        runner = CallRunner(tools=tools, fatal=(OutOfTime,), parallel_tool_execution=parallel)
        loop = ToolLoop("Hi", runner)
        with pytest.raises(OutOfTime) as caught:
            await loop.take(calls(ONE, ToolCall("2", "fail"), ToolCall("3", "hang")))
        assert caught.value is failure
        assert results(loop.messages) == {
            "1": "3",
            "2": "Error: the call was broken off",
            "3": "Error: the call was broken off",
        }
        assert (ended, len(asyncio.all_tasks())) == ([1] if parallel else [], 1)

    test()


async def test_a_client_says_what_is_fatal() -> None:
    @tool
    def fail() -> None:
        raise OutOfTime("no more")

    client = Plain(calls(ToolCall("1", "fail")))
    client.fatal = (OutOfTime,)  # type: ignore[attr-defined]
    with pytest.raises(OutOfTime, match="no more"):
        await run_tool_loop(client, "Hi", [fail])


async def test_errors_may_be_told_without_details() -> None:
    wrong = calls(ToolCall("0", "sub"), ONE, ToolCall("3", "add", {"a": 1}), ToolCall("4", "sub"))
    runner = CallRunner(
        tools=ToolRegistry([add]), include_tool_errors_in_context=False, max_tool_calls_per_turn=3
    )
    loop = ToolLoop("Hi", runner)
    told = await loop.take(wrong)
    assert results(loop.messages) == {
        "0": "Error: the call failed",
        "1": "3",
        "3": "Error: the call failed",
        "4": "Error: not run: at most 3 calls at a time",
    }
    assert told[0].error == "there is no tool named 'sub'; there are: add"


async def test_no_round_may_be_run_at_all() -> None:
    client, _ = scripted(calls(ONE))
    result = await run_tool_loop(client, "Hi", [add], max_iterations=0)
    assert (result.stop_reason, result.iterations) == ("max_iterations", 0)


class Sum(BaseModel):
    value: int


async def test_the_last_answer_may_have_a_shape() -> None:
    client, provider = scripted(calls(ONE), says("not JSON"), says('{"value": 3}'))
    result = await run_tool_loop(client, "Hi", [add], response_model=Sum)
    assert result.parsed == Sum(value=3)
    assert (result.usage, result.cost) == (USAGE + USAGE + USAGE, 4.5)
    assert all(request.tools for request in provider.requests)


class Plain:
    """A completer that has no `ask`."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def complete(self, messages: Any, **options: Any) -> Any:
        return self.answer


async def test_anything_that_completes_will_do() -> None:
    assert (await run_tool_loop(Plain(says("ok")), "Hi", [add])).content == "ok"
    with pytest.raises(ConfigError, match="a response_model needs a client that has ask"):
        await run_tool_loop(Plain(None), "Hi", [add], response_model=Sum)


async def test_a_response_that_is_no_answer_is_an_error() -> None:
    with pytest.raises(CompletionError, match="overloaded"):
        await run_tool_loop(Plain(CompletionResponse(status=529, error="overloaded")), "Hi", [])
    with pytest.raises(CompletionError, match="status 500"):
        await run_tool_loop(Plain(CompletionResponse(status=500)), "Hi", [])


async def test_a_failed_call_tells_what_was_done_and_paid() -> None:
    failure = AuthenticationError("the key ran out")
    client, _ = scripted(calls(ONE), failure)
    with pytest.raises(AuthenticationError) as caught:
        await run_tool_loop(client, "Hi", [add])
    error = caught.value
    assert [message["role"] for message in error.messages] == ["user", "assistant", "tool"]
    assert error.usage == USAGE

    client, _ = scripted(says("3"))
    result = await run_tool_loop(client, error.messages, [add])
    assert result.messages == [*error.messages, says("3").message]


async def test_arguments_that_are_no_json_are_not_sent_back() -> None:
    bad = ToolCall("2", "add", '{"a": 1, "b')
    asked = calls(ONE, bad)
    asked.message["tool_calls"][0]["extra_content"] = {"signature": "s"}
    client, provider = scripted(asked, says("ok"))
    result = await run_tool_loop(client, "Hi", [add])
    assert (result.tool_calls_made, result.responses[0].tool_calls) == ([ONE, bad], [ONE, bad])
    sent = provider.requests[1].messages[1]
    assert sent["tool_calls"] == [
        ONE.to_dict() | {"extra_content": {"signature": "s"}},
        ToolCall("2", "add", "{}").to_dict(),
    ]
    read = results(provider.requests[1].messages)
    assert read["1"] == "3"
    assert '{"a": 1, "b' in read["2"]


class Unlucky(Exception):
    """What is raised by others, and is none of flashlite's errors."""


async def test_what_others_raise_has_the_history_too() -> None:
    class Vendor:
        answers = iter([calls(ONE), calls(ONE)])

        async def complete(self, messages: Any, **options: Any) -> Any:
            if (answer := next(self.answers, None)) is None:
                raise Unlucky
            return answer

    def disapprove(call: ToolCall) -> bool:
        raise Unlucky

    with pytest.raises(Unlucky) as caught:
        await run_tool_loop(Vendor(), "Hi", [add], approve=disapprove)
    assert results(caught.value.messages) == {"1": "Error: the call was broken off"}  # type: ignore[attr-defined]
    assert caught.value.usage == USAGE  # type: ignore[attr-defined]
    with pytest.raises(Unlucky) as caught:
        await run_tool_loop(Vendor(), "Hi", [add])
    assert results(caught.value.messages) == {"1": "3"}  # type: ignore[attr-defined]


@virtual_time
async def test_an_answer_is_not_lost_when_its_listener_is_cancelled() -> None:
    async def listen(response: CompletionResponse) -> None:
        await asyncio.sleep(60)

    client, _ = scripted(calls(ONE))
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(5):
            await run_tool_loop(client, "Hi", [add], on_response=listen)
    cancelled: Any = caught.value.__cause__
    assert results(cancelled.messages) == {"1": "Error: the call was broken off"}
    assert cancelled.usage == USAGE


async def test_what_is_fatal_ends_the_loop_out_of_a_task_group_too() -> None:
    @tool
    async def crowd() -> None:
        async def reach_the_limit() -> None:
            raise Unlucky

        async with asyncio.TaskGroup() as group:
            group.create_task(reach_the_limit())

    client = Plain(calls(ToolCall("1", "crowd")))
    client.fatal = (Unlucky,)  # type: ignore[attr-defined]
    with pytest.raises(Unlucky):
        await run_tool_loop(client, "Hi", [crowd])


@pytest.mark.parametrize("listener", ["on_response", "on_tool_call", "on_tool_result"])
async def test_what_is_fatal_ends_the_loop_out_of_a_callback_too(listener: str) -> None:
    def reach_the_limit(news: Any) -> None:
        raise Unlucky

    client = Plain(calls(ONE))
    client.fatal = (Unlucky,)  # type: ignore[attr-defined]
    with pytest.raises(Unlucky):
        await run_tool_loop(client, "Hi", [add], **{listener: reach_the_limit})


async def test_what_the_failed_call_itself_used_counts_too() -> None:
    client, _ = scripted(calls(ONE), says("no JSON"), says("still none"))
    with pytest.raises(StructuredOutputError) as caught:
        await run_tool_loop(client, "Hi", [add], response_model=Sum, structured_retries=1)
    assert caught.value.usage == USAGE + USAGE + USAGE


@virtual_time
async def test_cancellation_leaves_no_tool_running_and_no_call_unanswered() -> None:
    ended: list[float] = []

    @tool
    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(now())

    asked = calls(ToolCall("1", "hang"), ToolCall("2", "wait", {"seconds": 1}))
    loop = ToolLoop("Hi", CallRunner(tools=ToolRegistry([hang, wait])))
    task = asyncio.create_task(loop.take(asked))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [5]
    assert len(asyncio.all_tasks()) == 1
    assert results(loop.messages) == {"1": "Error: the call was broken off", "2": "1.0"}
    assert (loop.calls, len(loop.results), loop.usage) == (asked.tool_calls, 2, USAGE)


@virtual_time
async def test_a_cancelled_loop_tells_what_was_done() -> None:
    told: list[Any] = []

    async def outer() -> None:
        try:
            await run_tool_loop(client, "Hi", [wait])
        except asyncio.CancelledError as error:
            told.append(error)
            raise

    client, _ = scripted(calls(ToolCall("1", "wait", {"seconds": 60})))
    task = asyncio.create_task(outer())
    await asyncio.sleep(5)
    task.cancel()
    await asyncio.wait([task])
    [error] = told
    assert results(error.messages) == {"1": "Error: the call was broken off"}
    assert error.usage == USAGE


async def test_a_loop_can_be_driven_by_the_step() -> None:
    loop = ToolLoop("Hi", CallRunner(tools=ToolRegistry([add])))
    with pytest.raises(ConfigError, match="the loop has no answer yet"):
        loop.result()
    assert loop.offer == {"tools": [add.to_openai()]}
    assert await loop.take(calls(ONE)) == [ToolResult(content=3, name="add", call_id="1")]
    assert (loop.stop_reason, loop.result().stop_reason) == (None, "tool_calls")
    assert await loop.take(says("3")) == []
    assert (loop.stop_reason, loop.result().content) == ("stop", "3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iterations": -1}, "max_iterations is 0 or more; got -1"),
        ({"max_tool_calls_per_turn": 0}, "max_tool_calls_per_turn is at least 1; got 0"),
        ({"tool_timeout": -1}, "a timeout is a positive number of seconds or None; got -1"),
        ({"max_iteration": 3}, "unknown parameter 'max_iteration'"),
    ],
)
async def test_options_that_cannot_be_are_refused(options: Any, message: str) -> None:
    client, provider = scripted()
    with pytest.raises(ConfigError, match=message):
        await run_tool_loop(client, "Hi", [add], **options)
    assert provider.requests == []


@virtual_time
async def test_a_hundred_loops_at_once() -> None:
    async def one(number: int) -> Any:
        client, _ = scripted(calls(ToolCall("1", "wait", {"seconds": 1})), says(str(number)))
        return (await run_tool_loop(client, "Hi", [wait])).content

    assert await asyncio.gather(*map(one, range(100))) == [str(n) for n in range(100)]
    assert now() == 1


async def test_tools_work_over_the_wire(mock_server: Any) -> None:
    client = Flashlite("openai/tools", base_url=mock_server.base_url)
    result = await run_tool_loop(client, "Hi", [add])
    assert result.content == f"The tools said: {result.tool_results[0].content}"
    assert [request.body["tools"] for request in mock_server.requests] == [[add.to_openai()]] * 2
    await client.aclose()
