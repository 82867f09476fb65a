"""The layer: every call of a client is an event of the right sample, or a sample of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.event import ModelEvent

from flashlite import Flashlite, InspectLogger, RetryConfig
from flashlite.errors import AuthenticationError, ConfigError, StructuredOutputError
from flashlite.inspect_logs import InspectLog, record_model_call
from flashlite.middleware import stack
from flashlite.stores import MemoryCache
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider
from flashlite.types import CompletionRequest, CompletionResponse

from .logs import REQUEST, answer, samples

KEY = "sk-canary-0123456789"


def reply(text: str = "4") -> Reply:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    body = {"model": "gpt-4o-1", "choices": [{**choice, "finish_reason": "stop"}], "usage": usage}
    return Reply.of(body)


def client(logger: InspectLogger, *replies: Reply, **options: Any) -> Flashlite:
    transport = ReplayTransport(list(replies))
    return Flashlite(
        "openai/gpt-4o",
        transport=transport,
        middleware=[InspectLog(logger)],
        api_key=KEY,
        retry=RetryConfig(max_attempts=3, initial_delay=0.001),
        **options,
    )


def log_of(folder: Path, work: Callable[[InspectLogger], Any]) -> list[Any]:
    """Run some work with a logger; return the samples that it logged."""
    with InspectLogger(folder) as logger:
        asyncio.run(work(logger))
    return samples(folder)


def calls_of(sample: Any) -> list[ModelEvent]:
    return [event for event in sample.events if isinstance(event, ModelEvent)]


def test_a_call_outside_of_samples_is_one(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        await client(logger, reply()).complete("2+2?", temperature=0.5)

    [sample] = log_of(tmp_path, work)
    [call] = calls_of(sample)
    assert (sample.input, sample.output.completion) == ("2+2?", "4")
    assert (call.model, call.config.temperature, call.retries) == ("openai/gpt-4o", 0.5, 0)
    assert call.call is not None
    assert call.call.request["messages"] == [{"role": "user", "content": "2+2?"}]
    assert call.call.response is not None
    assert call.call.response["model"] == "gpt-4o-1"


def test_calls_inside_of_a_sample_are_its_events(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        asking = client(logger, reply("a"), reply("b"), reply("c"))
        async with logger.sample("s", input="x") as s:
            await asking.complete("1")
            with s.agent("alice"):
                await asyncio.create_task(asking.complete("2"))
                await asyncio.to_thread(asking.complete_sync, "3")

    [sample] = log_of(tmp_path, work)
    assert [(call.role, call.output.completion) for call in calls_of(sample)] == [
        (None, "a"), ("alice", "b"), ("alice", "c")
    ]  # fmt: skip


def test_attempts_and_cache_hits_are_told(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        asking = client(logger, Reply.of({}, status=500), reply(), cache=MemoryCache())
        async with logger.sample("s"):
            for _ in range(2):
                await asking.complete("2+2?")

    [sample] = log_of(tmp_path, work)
    assert [(call.retries, call.cache) for call in calls_of(sample)] == [(1, None), (0, "read")]


def test_an_error_is_an_event_and_goes_on(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        body = {"error": {"message": f"Wrong key: {KEY}", "code": "invalid_api_key"}}
        with pytest.raises(AuthenticationError):
            await client(logger, Reply.of(body, status=401)).complete("2+2?")

    [sample] = log_of(tmp_path, work)
    [call] = calls_of(sample)
    assert call.error is not None
    assert call.error.startswith("AuthenticationError: openai/gpt-4o")
    assert call.call is not None
    assert call.call.error is True
    assert sample.error is not None
    assert KEY not in sample.model_dump_json()


def test_a_stream_is_recorded_when_it_is_over(tmp_path: Path) -> None:
    chunks = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("a", "b")]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}

    async def work(logger: InspectLogger) -> None:
        whole = Reply.stream([*chunks, end, "[DONE]"])
        asking = client(logger, whole, Reply.stream([*chunks, end, "[DONE]"]))
        async with logger.sample("s"):
            async with aclosing(asking.stream("1")) as events:
                async for _ in events:
                    pass
            async with aclosing(asking.stream("2")) as events:
                async for _ in events:
                    break

    [sample] = log_of(tmp_path, work)
    whole, left = calls_of(sample)
    assert (whole.output.completion, whole.error) == ("ab", None)
    assert left.error is not None
    assert left.error.endswith("the stream was not read to its end")


def test_a_cancelled_call_is_recorded(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        async def never(request: CompletionRequest) -> CompletionResponse:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        task = asyncio.create_task(stack([InspectLog(logger)], never)(REQUEST))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    [sample] = log_of(tmp_path, work)
    assert calls_of(sample)[0].error == "CancelledError('')"


def test_an_agent_that_says_who_it_is_needs_no_block(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        async with logger.sample("s"):
            await client(logger, reply()).complete("2+2?", agent="alice")

    [sample] = log_of(tmp_path, work)
    assert [call.role for call in calls_of(sample)] == ["alice"]
    assert sample.role_usage["alice"].total_tokens == 12


def test_a_cache_hit_uses_nothing(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        asking = client(logger, reply(), cache=MemoryCache())
        async with logger.sample("s"):
            for _ in range(3):
                await asking.complete("2+2?", temperature=0)

    [sample] = log_of(tmp_path, work)
    assert len(calls_of(sample)) == 3
    assert sample.model_usage["openai/gpt-4o"].total_tokens == 12


def test_answers_that_did_not_fit_are_paid(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        asking = client(logger, reply("no"), reply("no"))
        with pytest.raises(StructuredOutputError):
            await asking.complete("2+2?", response_model=list[int], structured_retries=1)

    [sample] = log_of(tmp_path, work)
    assert sample.model_usage["openai/gpt-4o"].total_tokens == 24


def test_a_call_belongs_to_the_innermost_sample_of_its_own_logger(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        asking = client(logger, reply())
        with InspectLogger(tmp_path / "other") as other:
            async with logger.sample("ours") as ours, other.sample("theirs"):
                with ours.agent("alice"):
                    await asking.complete("2+2?")

    [sample] = log_of(tmp_path, work)
    assert [(call.role, call.output.completion) for call in calls_of(sample)] == [("alice", "4")]
    [theirs] = samples(tmp_path / "other")
    assert calls_of(theirs) == []


def test_a_stream_that_ends_elsewhere_belongs_where_it_began(tmp_path: Path) -> None:
    end = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}

    async def work(logger: InspectLogger) -> None:
        async with logger.sample("first") as first:
            events = client(logger, Reply.stream([end, "[DONE]"])).stream("1")
            with first.agent("alice"):
                await anext(events)
            async with logger.sample("second"):
                await events.aclose()

    found = {s.id: [call.role for call in calls_of(s)] for s in log_of(tmp_path, work)}
    assert found == {"first": ["alice"], "second": []}


async def test_the_request_stays_as_it_is_and_its_own_listener_hears(tmp_path: Path) -> None:
    sent: list[Any] = []
    seen: list[CompletionRequest] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        seen.append(request)
        assert request.on_send is not None
        request.on_send({"body": 1})
        return answer()

    request = REQUEST.with_(on_send=sent.append)
    async with InspectLogger(tmp_path) as logger:
        await stack([InspectLog(logger)], provider)(request)
    assert (seen, sent) == ([request], [{"body": 1}])


async def test_a_hundred_tasks_at_once_are_a_hundred_samples(tmp_path: Path) -> None:
    async with InspectLogger(tmp_path) as logger:
        handler = stack([InspectLog(logger)], ScriptedProvider([answer() for _ in range(100)]))
        await asyncio.gather(*[handler(REQUEST) for _ in range(100)])
    found = await asyncio.to_thread(samples, tmp_path)
    assert [sample.id for sample in found] == list(range(1, 101))


async def test_a_closed_log_costs_no_answer(tmp_path: Path) -> None:
    logger = InspectLogger(tmp_path)
    logger.close()
    response = await stack([InspectLog(logger)], ScriptedProvider([answer()]))(REQUEST)
    assert response.content == "4"


async def test_what_no_cache_could_name_costs_no_answer(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        client = Flashlite("m", provider=ScriptedProvider(["4"]), inspect_logger=logger)
        await client.complete("2+2?", extra_body={"odd": object()})
    [sample] = await asyncio.to_thread(samples, tmp_path)
    assert sample.output.completion == "4"


def test_a_call_nowhere_is_recorded_nowhere(tmp_path: Path) -> None:
    record_model_call("Hi", "there")
    assert list(tmp_path.iterdir()) == []


def test_another_loggers_sample_is_not_ours(tmp_path: Path) -> None:
    ours, theirs = InspectLogger(tmp_path / "a"), InspectLogger(tmp_path / "b")
    with ours, theirs, theirs.sample("s"):
        record_model_call("Hi", "there", logger=ours)
        record_model_call("Ho", "there")
    assert [sample.input for sample in samples(tmp_path / "a")] == ["Hi"]
    assert [sample.input for sample in samples(tmp_path / "b")] == ["Ho"]


def test_what_is_no_logger_is_refused() -> None:
    with pytest.raises(ConfigError, match="an InspectLogger"):
        InspectLog("logs")  # type: ignore[arg-type]


async def test_a_client_with_a_logger_writes_its_calls_into_the_sample_they_belong_to(
    tmp_path: Path,
) -> None:
    with InspectLogger(tmp_path, eval_id="talk") as logger:
        client = Flashlite("mock/echo", inspect_logger=logger)
        with client.log_sample("first", input="Say hello") as sample:
            conversation = client.conversation(system="Be brief.")
            await conversation.say("Hello")
            await conversation.say("Goodbye")
            sample.score("polite", 1)
        await client.complete("outside")
    first, second = sorted(samples(tmp_path), key=lambda sample: -len(sample.messages))
    assert [first.id, first.input, len(first.messages)] == ["first", "Say hello", 5]
    assert [event.event for event in first.events if event.event == "model"] == ["model"] * 2
    assert [second.input, second.output.completion] == ["outside", "outside"]


async def test_calls_after_the_log_is_closed_are_answered_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = InspectLogger(tmp_path, "sums")
    client = Flashlite("mock/echo", inspect_logger=logger)
    await client.complete("logged")
    await logger.aclose()
    answers = [(await client.complete(text)).content for text in ("late", "later")]
    assert answers == ["late", "later"]
    assert [record.getMessage() for record in caplog.records] == [
        "the log of 'sums' is closed, so a call is not logged, nor are later ones: close the "
        "logger after the last call"
    ]
    assert [sample.input for sample in samples(tmp_path)] == ["logged"]


def test_a_client_without_a_logger_says_so() -> None:
    with pytest.raises(ConfigError, match="this client has no inspect_logger"):
        Flashlite("mock/echo").log_sample("a")
