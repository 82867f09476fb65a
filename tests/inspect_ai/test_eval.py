"""Whole evals on the mock models and on a loopback server; logs are read back with Inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.event import ModelEvent
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

from flashlite.testing import MockServer

REPOSITORY = Path(__file__).parents[2]
PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspect names tasks by their path from the working directory."""
    monkeypatch.chdir(REPOSITORY)


def _run(
    task: Any = "evals/task.py", model: str = "flashlite/mock/calculator", **options: Any
) -> EvalLog:
    """Run an eval and return its log as it stands on disk."""
    [log] = eval(task, model=model, display="none", log_format="eval", **options)
    return read_eval_log(log.location)


def _ask(*samples: str | list[Any], **options: Any) -> EvalLog:
    dataset = [
        Sample(input=s if isinstance(s, str) else [ChatMessageUser(content=s)]) for s in samples
    ]
    return _run(Task(dataset=dataset, solver=generate(), scorer=includes()), **options)


def _metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None, log.error
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def _model_events(log: EvalLog) -> list[ModelEvent]:
    assert log.samples is not None
    return [e for sample in log.samples for e in sample.events if isinstance(e, ModelEvent)]


def _error(log: EvalLog) -> str:
    assert log.samples is not None
    error = log.samples[0].error
    assert error is not None
    return error.message


def test_a_perfect_calculator_is_right_everywhere() -> None:
    log = _run()
    assert log.status == "success"
    assert _metrics(log) == {
        "easy": 1.0,
        "medium": 1.0,
        "hard": 1.0,
        "expert": 1.0,
        "accuracy": 1.0,
        "stderr": 0.0,
    }


def test_a_calculator_of_known_skill_scores_it_within_its_standard_error() -> None:
    metrics = _metrics(_run(model_args={"skill": 0.8}))
    assert abs(metrics["accuracy"] - 0.8) <= metrics["stderr"]


def test_the_same_eval_twice_in_one_process_gives_the_same_answers() -> None:
    first, second = (_run(model_args={"skill": 0.5}, limit=20) for _ in range(2))
    assert [e.output.completion for e in _model_events(first)] == [
        e.output.completion for e in _model_events(second)
    ]


def test_epochs_are_independent_draws() -> None:
    log = _run(model_args={"skill": 0.5}, limit=10, epochs=3)
    assert log.samples is not None
    answers: dict[str | int, list[Any]] = {}
    for sample in sorted(log.samples, key=lambda sample: sample.epoch):
        assert sample.scores is not None
        answers.setdefault(sample.id, []).append(sample.scores["final_number"].value)
    assert {len(values) for values in answers.values()} == {3}
    assert len({tuple(values) for values in answers.values()}) > 2


def test_tools_are_called_and_their_results_come_back() -> None:
    log = _run(limit=2, task_args={"tools": True})
    assert log.samples is not None
    assert [[m.role for m in sample.messages] for sample in log.samples] == [
        ["user", "assistant", "tool", "assistant"]
    ] * 2
    assert [sample.messages[2].text for sample in log.samples] == [
        sample.target for sample in log.samples
    ]
    assert _metrics(log)["accuracy"] == 1.0


def test_usage_and_cost_are_summed_and_a_cost_limit_starts() -> None:
    log = _run(limit=2, cost_limit=1.0)
    usage = [event.output.usage for event in _model_events(log)]
    assert log.status == "success"
    total = log.stats.model_usage["flashlite/mock/calculator"]
    assert (total.input_tokens, total.output_tokens, total.total_cost) == (
        sum(u.input_tokens for u in usage if u),
        sum(u.output_tokens for u in usage if u),
        0.0,
    )


def test_the_raw_call_is_in_the_log_without_media_and_with_its_time() -> None:
    log = _ask(
        [ContentText(text="What is this?"), ContentImage(image=PNG)], model="flashlite/mock/echo"
    )
    [event] = _model_events(log)
    call = event.call
    assert call is not None
    assert call.request == {
        "model": "echo",
        "sample": 1,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "<base64-data-removed>"}},
                ],
            }
        ],
    }
    assert call.response is not None
    assert call.response["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "What is this?[image_url]"},
            "finish_reason": "stop",
        }
    ]
    assert call.time == event.output.time == event.working_time


def test_inspect_retries_what_is_worth_it_and_waits_as_long_as_asked() -> None:
    arguments = {"status": 429, "times": 2, "retry_after": 0.01}
    log = _ask("hello", model="flashlite/mock/echo", model_args=arguments)
    assert [event.error for event in _model_events(log)] == [
        "mock/echo: the mock was told to answer 429 (status 429, asked to wait 0.01 s)",
        "mock/echo: the mock was told to answer 429 (status 429, asked to wait 0.01 s, 2 attempts)",
        None,
    ]
    assert log.status == "success"
    assert log.samples is not None
    [sample] = log.samples
    assert sample.output.completion == "hello"
    assert sample.total_time is not None
    assert sample.total_time < 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"status": 400}, "mock/echo: the mock was told to answer 400 (status 400)"),
        ({"status": 503}, "mock/echo: the mock was told to answer 503 (status 503)"),
        ({"malformed": "choices"}, "mock/echo: status 200, but the answer has no choices"),
        ({"malformed": "empty"}, "mock/echo: status 200, but the body is empty"),
        ({"cut": 0}, "mock/echo: the connection broke: the mock was told to cut it"),
    ],
)
def test_a_failure_is_the_samples_error_and_is_not_scored(
    arguments: dict[str, Any], sentence: str
) -> None:
    log = _ask("hello", model="flashlite/mock/echo", model_args=arguments, max_retries=0)
    assert log.samples is not None
    assert (log.status, _error(log), log.samples[0].scores) == ("error", sentence, {})


def test_a_malformed_answer_is_not_paid_for_without_end() -> None:
    log = _ask(
        "hello",
        model="flashlite/mock/script",
        model_args={"answers": [], "malformed": "empty"},
        retry_on_error=0,
    )
    assert (len(_model_events(log)), log.status) == (3, "error")


def test_a_failed_call_is_in_the_log_too() -> None:
    log = _ask("hello", model="flashlite/mock/echo", model_args={"status": 400})
    call = _model_events(log)[0].call
    assert call is not None
    assert (call.error, call.request["messages"], call.response) == (
        True,
        [{"role": "user", "content": "hello"}],
        {
            "error": {
                "message": "the mock was told to answer 400",
                "type": "mock_error",
                "code": "mock_400",
            }
        },
    )


def test_a_server_that_is_down_is_named() -> None:
    with MockServer() as server:
        base_url = server.base_url
    log = _ask("hello", model="flashlite/openai/x", model_base_url=base_url, max_retries=0)
    address = base_url.removeprefix("http://").removesuffix("/v1")
    assert _error(log).startswith(f"openai/x: could not connect to {address}: ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"attempt_timeout": 1, "max_retries": 0}, "mock/echo: no answer within 0.95 s"),
        ({"timeout": 1}, "mock/echo: no answer within 1 s"),
        ({"request_timeout": 0.05, "max_retries": 0}, "mock/echo: no answer within 0.05 s"),
    ],
)
def test_a_server_that_hangs_is_an_error_and_not_an_empty_answer(
    options: dict[str, Any], sentence: str
) -> None:
    arguments = {"latency": 30}
    if seconds := options.pop("request_timeout", None):
        arguments["request_timeout"] = seconds
    log = _ask("hello", model="flashlite/mock/echo", model_args=arguments, **options)
    assert log.samples is not None
    assert (log.status, _error(log), log.samples[0].scores) == ("error", sentence, {})


def test_a_server_that_asks_to_wait_for_a_day_ends_the_sample_at_once() -> None:
    arguments = {"status": 429, "retry_after": 86400}
    log = _ask("hello", model="flashlite/mock/echo", model_args=arguments)
    assert _error(log) == (
        "mock/echo: the mock was told to answer 429 (status 429, asked to wait 86400 s)"
    )


def test_two_evals_over_http_in_one_process_share_an_engine_across_loops(
    mock_server: MockServer,
) -> None:
    for _ in range(2):
        log = _run(
            model="flashlite/openai/calculator", model_base_url=mock_server.base_url, limit=5
        )
        assert _metrics(log)["accuracy"] == 1.0
    assert len(mock_server.requests) == 10


def test_a_key_reaches_the_server_and_no_log(mock_server: MockServer) -> None:
    canary = "sk-canary-0123456789"
    [log] = eval(
        Task(dataset=[Sample(input="hi")], solver=generate()),
        model="flashlite/openai/echo?status=401",
        model_base_url=mock_server.base_url,
        model_args={"api_key": canary},
        display="none",
        log_format="json",
    )
    assert mock_server.requests[0].headers["authorization"] == f"Bearer {canary}"
    assert log.status == "error"
    assert canary not in Path(log.location.removeprefix("file://")).read_text()


def test_an_answer_that_was_cut_off_keeps_its_stop_reason() -> None:
    answers = [{"content": "x" * 10, "finish_reason": "length"}]
    log = _ask("hello", model="flashlite/mock/script", model_args={"answers": answers})
    assert log.samples is not None
    assert log.samples[0].output.stop_reason == "max_tokens"
