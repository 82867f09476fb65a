"""What `-M` says to a model: pools, budgets, caches, fallbacks, streams, other ways to ask."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task, eval, eval_retry, eval_set
from inspect_ai.dataset import Sample
from inspect_ai.event import ModelEvent, SampleLimitEvent
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import (
    ChatMessageUser,
    GenerateConfig,
    Model,
    ResponseSchema,
    StreamTextEvent,
    get_model,
)
from inspect_ai.scorer import includes
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver
from inspect_ai.util import JSONSchema

from flashlite.inspect_ai import FlashliteModelAPI
from flashlite.inspect_ai._engine import litellm_name
from flashlite.inspect_ai._pool import Pool
from flashlite.inspect_ai._private import PrerequisiteError
from flashlite.inspect_ai._settings import Settings
from flashlite.providers import resolve
from flashlite.testing import MockServer
from flashlite.types import CompletionRequest, CompletionResponse, Message, Target

from ..virtual_time import now, virtual_time
from .loopback import ANSWERS, Loopback

SHAPE = JSONSchema(type="object", properties={"x": JSONSchema(type="integer")}, required=["x"])
SCHEMA = ResponseSchema(name="answer", json_schema=SHAPE)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")


def _run(
    model: str, count: int = 1, *, does: Solver | None = None, **options: Any
) -> tuple[EvalLog, list[EvalSample]]:
    dataset = [Sample(input=f"question {n}", target="question") for n in range(count)]
    task = Task(dataset=dataset, solver=does or generate(), scorer=includes())
    [log] = eval(task, model=model, display="none", log_format="eval", **options)
    log = read_eval_log(log.location)
    return log, log.samples or []


def _events(sample: EvalSample) -> list[ModelEvent]:
    return [event for event in sample.events if isinstance(event, ModelEvent)]


@solver
def _again_and_again(times: int) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        for _ in range(times):
            state = await generate(state)
            state.messages.append(ChatMessageUser(content="Another question."))
        return state

    return solve


def test_two_evals_of_two_models_with_one_key_share_the_minute(mock_server: MockServer) -> None:
    def limits(model: str, count: int, **options: Any) -> list[Any]:
        to: Any = {"model_base_url": mock_server.base_url, "model_args": {"rpm": 60}}
        log, samples = _run(model, count, max_connections=100, **to, **options)
        assert log.status == "success"
        return [sample.limit and sample.limit.type for sample in samples]

    assert limits("flashlite/openai/echo", 60) == [None] * 60
    assert limits("flashlite/openai/calculator", 3, time_limit=2) == ["time"] * 3
    assert len(mock_server.requests) == 60


@virtual_time
async def test_no_minute_of_a_pool_has_more_requests_than_it_may() -> None:
    sent: list[float] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        sent.append(now())
        return CompletionResponse.of("ok")

    pool = Pool("x", clock=now)
    settings = Settings(rpm=60.0)
    target = Target(provider="p", dialect="openai", model="m")
    for _ in range(2):
        pool.join(settings, lambda _: target)
    requests = [
        CompletionRequest(model=f"m{n % 2}", messages=(Message.user("Hi"),)) for n in range(150)
    ]
    await asyncio.gather(*(pool(request, provider) for request in requests))
    assert max(sum(at <= other < at + 60 for other in sent) for at in sent) == 60
    assert sent[-1] == pytest.approx(120.2)


def test_waiting_for_a_limit_is_no_work() -> None:
    @solver
    def one_after_the_other() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            if state.sample_id == 2:
                await asyncio.sleep(0.3)  # the first has been told by then to wait
            return await generate(state)

        return solve

    log, samples = _run(
        "flashlite/mock/echo",
        2,
        does=one_after_the_other(),
        model_args={"pool": "slow", "rpm": 1000, "status": 429, "times": 1, "retry_after": 2},
        working_limit=1,
    )
    assert (log.status, [sample.limit for sample in samples]) == ("success", [None, None])
    [event] = _events(samples[1])
    assert event.working_time is not None
    assert samples[1].total_time is not None
    assert samples[1].working_time is not None
    assert (event.error, event.output.completion) == (None, "question 1")
    assert event.working_time < 0.5
    assert samples[1].working_time < 1 < samples[1].total_time


def test_an_attempt_that_only_waited_says_so() -> None:
    arguments = {"pool": "full", "rpm": 1}
    log, samples = _run(
        "flashlite/mock/echo", 2, model_args=arguments, attempt_timeout=1, max_retries=0
    )
    assert log.status == "error"
    errors = {sample.error.message for sample in samples if sample.error}
    assert errors == {
        "mock/echo: no answer within 0.95 s, all of which it waited for the limits of its pool"
    }


def test_a_spent_budget_ends_samples_with_the_reason_and_a_score(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with MockServer("echo") as server:
        options: dict[str, Any] = {
            "model_base_url": server.base_url,
            "model_args": {"budget": 0.002},
            "does": _again_and_again(100),
            "max_tokens": 16,
        }
        first, samples = _run("flashlite/openai/gpt-4o", 2, **options)
        sent = len(server.requests)
        second, others = _run("flashlite/openai/gpt-4o", 2, **options)
        assert len(server.requests) - sent < sent  # what is left pays for the shortest ones
    assert (first.status, second.status) == ("success", "success")
    for sample in (*samples, *others):
        assert sample.limit is not None
        assert (sample.limit.type, sample.error) == ("custom", None)
        [reason] = [e.message for e in sample.events if isinstance(e, SampleLimitEvent)]
        assert sample.limit.reason == reason
        assert "of the budget of $0.002 are spent, and this call may cost up to" in reason
        assert sample.scores is not None
    scores = [sample.scores["includes"].value for sample in samples if sample.scores]
    assert scores == ["C", "C"]  # by the answers that they had
    used = [log.stats.model_usage["flashlite/openai/gpt-4o"] for log in (first, second)]
    assert 0.0015 < sum(usage.total_cost or 0 for usage in used) < 0.002
    [warning] = [one.getMessage() for one in caplog.records if one.name == "flashlite.inspect_ai"]
    assert "What is left of the budget of $0.002 does not pay for" in warning


def test_a_budget_without_a_price_stops_an_eval_before_it_starts() -> None:
    assert _refused("vllm/mine", budget=1).startswith("a budget needs the price of vllm/mine")


@pytest.mark.parametrize("store", ["memory", "disk:answers.db", "fs:answers"])
def test_epochs_are_stored_as_independent_samples_and_a_second_run_asks_nobody(
    store: str, mock_server: MockServer
) -> None:
    options: dict[str, Any] = {
        "model_base_url": mock_server.base_url,
        "model_args": {"cache": store, "pool": store.partition(":")[0]},
        "epochs": 3,
    }
    first, _ = _run("flashlite/openai/echo", 2, **options)
    second, samples = _run("flashlite/openai/echo", 2, **options)
    assert len(mock_server.requests) == 6
    assert [len(log.stats.model_usage) for log in (first, second)] == [1, 0]
    events = [event for sample in samples for event in _events(sample)]
    assert [event.cache for event in events] == ["read"] * 6
    assert {sample.output.completion for sample in samples} == {"question 0", "question 1"}
    told = samples[0].output.metadata
    assert told is not None
    assert told["flashlite"]["cached"] is True
    assert (
        samples[0].output.input_context_tokens == told["flashlite"]["cached_usage"]["input_tokens"]
    )


def test_another_model_stands_in_when_one_has_failed_for_good() -> None:
    with MockServer("echo", status=503) as server:
        log, [sample] = _run(
            "flashlite/openai/gpt-4o",
            model_base_url=server.base_url,
            model_args={"fallbacks": "mock/echo"},
            max_retries=0,
        )
        assert len(server.requests) == 1
    assert log.status == "success"
    fallback = sample.output.fallback
    assert fallback is not None
    assert (fallback.model, fallback.fallback_model) == ("openai/gpt-4o", "echo")
    assert sample.output.completion == "question 0"


def test_another_model_has_to_wait_until_inspect_has_tried_again() -> None:
    with MockServer("echo", status=503, times=1, retry_after=0.01) as server:
        _, [sample] = _run(
            "flashlite/openai/gpt-4o",
            model_base_url=server.base_url,
            model_args={"fallbacks": "mock/echo"},
        )
        assert len(server.requests) == 2
    assert sample.output.fallback is None


def test_an_answer_in_the_wrong_shape_is_asked_for_again() -> None:
    arguments = {"answers": ["no idea", '{"x": 1}'], "structured_retries": 2}
    _, [sample] = _run("flashlite/mock/script", model_args=arguments, response_schema=SCHEMA)
    [event] = _events(sample)
    usage = sample.output.usage
    assert usage is not None
    assert (sample.output.completion, event.error) == ('{"x": 1}', None)
    assert sample.output.input_context_tokens is not None
    assert sample.output.input_context_tokens < usage.input_tokens
    assert event.call is not None
    sent: Any = event.call.request["messages"]
    assert sent[-1]["content"].startswith("there is no JSON in the answer")


def test_a_wrong_shape_is_the_answer_when_all_tries_are_over() -> None:
    arguments = {"answers": ['{"x": "one"}'] * 2, "structured_retries": 1}
    log, [sample] = _run("flashlite/mock/script", model_args=arguments, response_schema=SCHEMA)
    told = sample.output.metadata
    assert told is not None
    assert (log.status, sample.output.completion) == ("success", '{"x": "one"}')
    [event] = _events(sample)
    assert event.call is not None
    assert event.call.response is not None
    assert event.call.response["choices"][0]["message"]["content"] == '{"x": "one"}'  # type: ignore[index,call-overload]
    assert told["flashlite"]["unfit"] == (
        "the answer did not fit answer after 2 tries: the answer: x: 'one' is not of type 'integer'"
    )


@solver
def _watched(seen: list[str]) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        async def on_stream(event: Any) -> None:
            if isinstance(event, StreamTextEvent):
                seen.append(event.text)

        state.output = await get_model().generate(state.messages, on_stream=on_stream)
        return state

    return solve


def test_who_watches_sees_the_answer_grow(mock_server: MockServer) -> None:
    seen: list[str] = []
    _, [sample] = _run(
        "flashlite/openai/echo", does=_watched(seen), model_base_url=mock_server.base_url
    )
    assert mock_server.requests[0].body["stream"] is True
    assert len(seen) > 1
    assert "".join(seen) == sample.output.completion == "question 0"
    assert sample.output.usage is not None


@pytest.mark.parametrize(("said", "streams"), [(True, True), (False, None), ("auto", None)])
def test_streaming_is_as_was_said(said: Any, streams: bool | None, mock_server: MockServer) -> None:
    arguments = {"stream": said, "pool": f"stream {said}"}
    _, [sample] = _run(
        "flashlite/openai/echo", model_base_url=mock_server.base_url, model_args=arguments
    )
    assert mock_server.requests[0].body.get("stream") is streams
    assert sample.output.completion == "question 0"


def test_a_stream_that_falls_silent_is_given_up() -> None:
    log, [sample] = _run(
        "flashlite/mock/echo",
        model_args={"chunk_latency": 1.5},
        stream_idle_timeout=1,
        max_retries=0,
    )
    assert log.status == "error"
    [event] = _events(sample)
    assert event.error is not None
    assert "idle" in event.error or "silent" in event.error


async def test_the_responses_api_is_asked_where_that_is_wanted() -> None:
    with Loopback(ANSWERS["responses"]) as server:
        model = get_model(
            "flashlite/openai/gpt-4o", base_url=server.base_url, responses_api=True, memoize=False
        )
        output = await model.generate("Hi", config=GenerateConfig(system_message="S"))
        assert output.completion == "ok"
        assert server.bodies[0]["input"][-1] == {"role": "user", "content": "Hi"}


async def test_a_parameter_of_the_model_goes_with_every_request(mock_server: MockServer) -> None:
    model = _model(mock_server, service_tier="flex", temperature=0.5)
    await model.generate("Hi", config=GenerateConfig(temperature=0.9))
    body = mock_server.requests[0].body
    assert (body["service_tier"], body["temperature"]) == ("flex", 0.9)


def _model(server: MockServer, **arguments: Any) -> Model:
    return get_model("flashlite/openai/echo", base_url=server.base_url, memoize=False, **arguments)


@pytest.mark.parametrize(
    ("name", "litellms"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("google/gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("bedrock/amazon.nova-pro-v1:0", "bedrock/amazon.nova-pro-v1:0"),
        ("replicate/meta/llama", "replicate/meta/llama"),
    ],
)
def test_litellm_is_asked_by_its_own_names(name: str, litellms: str) -> None:
    assert litellm_name(resolve(name)) == litellms


def test_litellm_serves_what_is_not_to_be_native(mock_server: MockServer) -> None:
    log, [sample] = _run(
        "flashlite/openai/echo",
        model_base_url=mock_server.base_url,
        model_args={"native": False},
    )
    assert (log.status, sample.output.completion) == ("success", "question 0")
    assert mock_server.requests[0].headers["user-agent"].startswith("AsyncOpenAI/")


def _refused(model: str, **arguments: Any) -> str:
    with pytest.raises(PrerequisiteError) as caught:
        FlashliteModelAPI(model, api_key="k", **arguments)
    return str(caught.value.message)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rpm": "many"}, "-M rpm=many: a number from 0 up"),
        ({"rpm": 0.5}, "requests_per_minute is a number of at least 1, or None; got 0.5"),
        ({"native": "no"}, "-M native=no: true or false"),
        ({"cache": "redis"}, "-M cache=redis: memory, disk:<file> or fs:<folder>"),
        ({"fallbacks": 7}, "-M fallbacks=7: names of models, with commas between them"),
        ({"structured_retries": -1}, "-M structured_retries=-1: a whole number from 0 up"),
        ({"pool": ""}, "-M pool=: a text"),
        (
            {"budget_file": "spent"},
            "-M budget_file keeps count of a budget: say -M budget=... too",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    assert _refused("openai/gpt-4o", **arguments) == sentence


def test_a_pool_has_one_limit() -> None:
    FlashliteModelAPI("openai/gpt-4o", api_key="k", pool="one", rpm=60)
    FlashliteModelAPI("openai/gpt-4o", api_key="k", pool="one")
    assert _refused("openai/gpt-4.1", pool="one", rpm=61) == (
        "rpm=61.0, tpm=None for one model, and rpm=60.0, tpm=None for another of the same pool: "
        "say the same, or give them different pools with -M pool=<name>"
    )


def test_models_of_an_eval_set_and_roles_run_side_by_side(tmp_path: Path) -> None:
    task = Task(dataset=[Sample(input="Hi", target="Hi")], solver=generate(), scorer=includes())
    models = [f"flashlite/mock/{name}" for name in ("echo", "calculator", "echo?seed=2")]
    done, logs = eval_set(
        task,
        log_dir=str(tmp_path / "set"),
        model=models,
        model_roles={"grader": "flashlite/mock/echo"},
        display="none",
        score_display=False,
    )
    assert (done, sorted(log.eval.model for log in logs)) == (True, sorted(models))


def test_a_failed_eval_is_tried_again_with_the_same_settings() -> None:
    task = Path("task.py")
    task.write_text(
        "from inspect_ai import Task, task\n"
        "from inspect_ai.dataset import Sample\n"
        "from inspect_ai.solver import generate\n"
        "@task\n"
        "def simple(): return Task(dataset=[Sample(input='Hi')], solver=generate())\n"
    )
    with MockServer("echo", status=500, times=1) as server:
        [log] = eval(
            "task.py",
            model="flashlite/openai/echo",
            model_base_url=server.base_url,
            model_args={"rpm": 1000, "pool": "again"},
            max_retries=0,
            display="none",
        )
        assert log.status == "error"
        # Read here: Inspect patches asyncio for good where it has to read samples on its loop.
        [log] = eval_retry(read_eval_log(log.location), display="none")
        assert (log.status, len(server.requests)) == ("success", 2)
        assert log.eval.model_args == {"rpm": 1000, "pool": "again"}


@pytest.mark.parametrize("limit", ["token_limit", "cost_limit"])
def test_inspects_own_limits_count_what_was_used(limit: str) -> None:
    options: dict[str, Any] = {limit: 100 if limit == "token_limit" else 0.0005}
    with MockServer("echo") as server:
        _, [sample] = _run(
            "flashlite/openai/gpt-4o",
            does=_again_and_again(50),
            model_base_url=server.base_url,
            **options,
        )
        assert 1 < len(server.requests) < 40
    assert sample.limit is not None
    assert sample.limit.type == limit.partition("_")[0]
