"""Many calls at once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from flashlite import (
    AuthenticationError,
    CallbackManager,
    CompletionError,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    Flashlite,
    InternalServerError,
    MemoryCache,
    RetryConfig,
    Usage,
)
from flashlite.progress import Tally, shown
from flashlite.testing import MockServer, ScriptedProvider


async def test_many_answers_come_back_in_order() -> None:
    client = Flashlite("mock/echo")
    responses = await client.complete_many([str(n) for n in range(30)], max_concurrency=7)
    assert [response.content for response in responses] == [str(n) for n in range(30)]


async def test_requests_may_be_texts_messages_or_arguments() -> None:
    provider = ScriptedProvider(["a", "b", "c", "d"])
    requests: list[Any] = [
        "text",
        {"role": "user", "content": "message"},
        [{"role": "system", "content": "list"}],
        {"messages": "arguments", "model": "other", "temperature": 0},
    ]
    await Flashlite("m", provider=provider).complete_many(requests, max_concurrency=1)
    assert [(r.model, r.messages[0].text, dict(r.params)) for r in provider.requests] == [
        ("m", "text", {}),
        ("m", "message", {}),
        ("m", "list", {}),
        ("other", "arguments", {"temperature": 0}),
    ]


@pytest.mark.parametrize(
    ("requests", "seats"),
    [("text", 1), ({"messages": "x"}, 1), (["x"], 0), (["x"], "10"), (["x"], 2.5)],
)
async def test_many_wants_a_list_and_a_seat(requests: Any, seats: int) -> None:
    with pytest.raises(ConfigError):
        await Flashlite("mock/echo").complete_many(requests, max_concurrency=seats)


async def test_a_request_without_messages_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        await Flashlite("mock/echo").complete_many(["Hi", {"prompt": "Hi"}])
    assert str(caught.value) == "request 1: a request needs messages; got prompt"


async def test_an_id_is_not_sent_as_a_message() -> None:
    provider = ScriptedProvider([])
    requests: Any = [("id1", "What?")]
    with pytest.raises(ConfigError) as caught:
        await Flashlite("m", provider=provider).complete_many(requests)
    assert (str(caught.value), provider.requests) == (
        "request 0: a tuple with texts is no request; got ('id1', 'What?'): leave out ids, because "
        "answers come in the order of the requests; several messages are a list",
        [],
    )


async def test_a_failure_says_which_request_it_is_of() -> None:
    requests: list[Any] = ["Hi", {"messages": "Hi", "temprature": 0}]
    with pytest.raises(ConfigError, match="did you mean 'temperature'") as caught:
        await Flashlite("mock/echo").complete_many(requests)
    assert caught.value.__notes__ == ["this is the failure of request 1, from 0 on"]


@pytest.mark.parametrize(("workers", "most"), [(5, 5), (None, 10)])
async def test_no_more_than_max_concurrency_run_at_once(workers: Any, most: int) -> None:
    running = peak = 0

    async def provider(request: CompletionRequest) -> CompletionResponse:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1
        return CompletionResponse.of("x")

    await Flashlite("m", provider=provider).complete_many(["x"] * 50, max_concurrency=workers)
    assert peak == most


async def test_the_first_failure_stops_the_rest() -> None:
    asked: list[str] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        asked.append(request.messages[0].text)
        if request.messages[0].text == "3":
            raise ConfigError("no")
        await asyncio.sleep(0)
        return CompletionResponse.of("x")

    with pytest.raises(ConfigError):
        await Flashlite("m", provider=provider).complete_many(
            map(str, range(99)), max_concurrency=2
        )
    assert len(asked) < 10
    assert len(asyncio.all_tasks()) == 1


async def test_failures_may_be_returned_in_their_places() -> None:
    failure = ConfigError("no")
    client = Flashlite("m", provider=ScriptedProvider(["a", failure, "c"]))
    results = await client.complete_many(["1"] * 3, max_concurrency=1, return_exceptions=True)
    assert [r if r is failure else r.content for r in results] == ["a", failure, "c"]


async def test_what_was_sent_is_handed_back_and_nothing_more_is_sent() -> None:
    """One of four fails at once while three are on the wire; of the rest none is sent."""
    with MockServer() as server:
        client = Flashlite(base_url=server.base_url)
        models = ["openai/echo?latency=0.3"] * 99
        models[1] = "openai/echo?status=401"
        requests = [{"model": model, "messages": str(n)} for n, model in enumerate(models)]
        with pytest.raises(AuthenticationError) as caught:
            await client.complete_many(requests, max_concurrency=4)
        assert len(server.requests) == 4
    answers = {number: answer.content for number, answer in caught.value.answers.items()}
    assert answers == {0: "0", 2: "2", 3: "3"}
    assert len(asyncio.all_tasks()) == 1


async def test_after_the_first_failure_an_attempt_on_the_wire_is_the_last() -> None:
    sent: list[str] = []
    has_failed = asyncio.Event()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        sent.append(text := request.messages[0].text)
        if text == "fatal":
            has_failed.set()
            raise ConfigError("no")
        await has_failed.wait()
        for _ in range(10):  # until the crowd has stopped
            await asyncio.sleep(0)
        if text == "fails":
            raise InternalServerError("down", status_code=500)
        return CompletionResponse.of(text)

    client = Flashlite("m", provider=provider, retry=RetryConfig(initial_delay=0))
    with pytest.raises(ConfigError) as caught:
        await client.complete_many(["fails", "works", "fatal", "never"], max_concurrency=3)
    assert sent == ["fails", "works", "fatal"]
    assert {n: answer.content for n, answer in caught.value.answers.items()} == {1: "works"}
    assert len(asyncio.all_tasks()) == 1


async def test_cancelling_ends_everything() -> None:
    came, running = asyncio.Event(), 0

    async def provider(request: CompletionRequest) -> CompletionResponse:
        nonlocal running
        running += 1
        came.set()
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1
        raise AssertionError

    many = asyncio.create_task(Flashlite("m", provider=provider).complete_many(["x"] * 9))
    await came.wait()
    many.cancel()
    await asyncio.gather(many, return_exceptions=True)
    assert (many.cancelled(), running, len(asyncio.all_tasks())) == (True, 0, 1)


async def test_answers_can_be_had_as_they_come_from_any_source() -> None:
    async def source() -> AsyncIterator[str]:
        for number in range(20):
            await asyncio.sleep(0)
            yield str(number)

    client = Flashlite("mock/echo")
    async with aclosing(client.as_completed(source(), max_concurrency=3)) as answers:
        came = {n: a.content async for n, a in answers if isinstance(a, CompletionResponse)}
    assert came == {n: str(n) for n in range(20)}


async def test_a_failure_comes_in_its_place() -> None:
    failure = ConfigError("no")
    client = Flashlite("m", provider=ScriptedProvider(["a", failure, "c"]))
    came = [outcome async for outcome in client.as_completed(["1"] * 3, max_concurrency=1)]
    assert [n for n, _ in came] == [0, 1, 2]
    assert came[1][1] is failure


async def test_an_endless_source_is_read_no_further_than_needed() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "x"

    client = Flashlite("mock/echo")
    async with aclosing(client.as_completed(endless(), max_concurrency=4)) as answers:
        for _ in range(10):
            await anext(answers)
    assert taken <= 10 + 2 * 4
    assert len(asyncio.all_tasks()) == 1


async def test_what_was_yielded_is_not_kept() -> None:
    client = Flashlite("mock/echo")
    async with aclosing(client.as_completed(["x"] * 50, max_concurrency=2)) as answers:
        _, first = await anext(answers)
        forgotten = weakref.ref(first.choices[0].message)  # type: ignore[union-attr]
        del first
        for _ in range(20):
            await anext(answers)
        gc.collect()
        assert forgotten() is None


async def test_a_source_that_raises_is_an_error() -> None:
    def source() -> Iterator[str]:
        yield "x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Flashlite("mock/echo").complete_many(source())
    assert len(asyncio.all_tasks()) == 1


async def test_progress_is_counted_and_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    client = Flashlite("mock/echo", cache=MemoryCache(), temperature=0)
    answers = await client.complete_many(["a", "b"], max_concurrency=1, progress=True)
    assert [answer.content for answer in answers] == ["a", "b"]
    assert capsys.readouterr() == ("", "")  # no terminal, no bar


def test_a_tally_says_what_came() -> None:
    tally = Tally()
    tally.add(CompletionResponse.of("x", usage=Usage(input_tokens=1234, total_cost=0.25)))
    assert str(tally) == "1,234 tokens, $0.25"
    tally.add(CompletionResponse.of("x", cached=True, usage=Usage(input_tokens=1)))
    tally.add(ConfigError("no"))
    assert str(tally) == "1 failed, 1 cached, 1,234 tokens, $0.25"


async def test_a_bar_is_drawn_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    outcomes = Flashlite("mock/echo").as_completed(["a", "b"])
    assert len([n async for n, _ in shown(outcomes, requests=["a", "b"])]) == 2
    assert "2/2" in capsys.readouterr().err


async def test_a_call_that_is_cancelled_from_inside_is_a_failure_in_its_place() -> None:
    async def provider(request: CompletionRequest) -> CompletionResponse:
        text = request.messages[0].text
        if text == "3":
            raise asyncio.CancelledError
        return CompletionResponse.of(text)

    client = Flashlite("m", provider=provider)
    answers = await client.complete_many(map(str, range(8)), return_exceptions=True)
    assert [getattr(answer, "content", type(answer)) for answer in answers] == [
        *("0", "1", "2"),
        CompletionError,
        *("4", "5", "6", "7"),
    ]
    with pytest.raises(CompletionError):
        await client.complete_many(map(str, range(8)), max_concurrency=1)


async def test_what_was_answered_before_a_source_raised_is_handed_back() -> None:
    def source() -> Iterator[str]:
        yield "x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        await Flashlite("mock/echo").complete_many(source(), max_concurrency=1)
    assert [answer.content for answer in caught.value.answers.values()] == ["x"]  # type: ignore[attr-defined]


async def test_a_client_may_be_entered_by_many_and_closes_with_the_last() -> None:
    with MockServer("echo") as server:
        client = Flashlite("openai/m", base_url=server.base_url)
        async with client:
            async with client:
                await client.complete("a")
            slow = asyncio.create_task(client.complete("b"))
            assert (await slow).content == "b"
        assert len(server.requests) == 2


async def test_an_answer_that_layers_are_still_at_work_on_is_handed_back() -> None:
    """It was paid for when the other call failed, though nobody waits for the provider any more."""
    answered, failed = asyncio.Event(), asyncio.Event()
    callbacks = CallbackManager()

    @callbacks.on_response
    async def work(*_: object) -> None:
        answered.set()
        await failed.wait()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        if request.messages[0].text == "bad":
            await answered.wait()
            asyncio.get_running_loop().call_later(0.01, failed.set)
            raise ConfigError("no")
        return CompletionResponse.of("paid")

    client = Flashlite("m", provider=provider, callbacks=callbacks)
    with pytest.raises(ConfigError) as caught:
        await client.complete_many(["good", "bad"], max_concurrency=2)
    assert {number: answer.content for number, answer in caught.value.answers.items()} == {
        0: "paid"
    }
