"""What goes over the wire when a provider fails, whatever is said about connections.

A retry of Inspect's is a model event of its own; `ModelEvent.retries` counts what a provider sends
again inside one attempt, which ours never does. Waiting between attempts is no working time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.solver import generate

from flashlite.testing import MockServer

from .loopback import Loopback
from .running import model_events, run_log

SAMPLES = 3
CONNECTIONS: dict[str, dict[str, Any]] = {
    "one": {"max_connections": 1},
    "a hundred": {"max_connections": 100},
    "adaptive": {"adaptive_connections": True},
    "as many as by default": {"adaptive_connections": False},
}
connections = pytest.mark.parametrize("said", CONNECTIONS)


class Outcome(NamedTuple):
    """What an eval came to: its status, requests, and errors of attempts and of samples."""

    status: str
    requests: int
    attempts: list[str | None]
    errors: list[str]


def _ask(base_url: str, **options: Any) -> tuple[EvalLog, list[EvalSample]]:
    log = run_log(
        generate(),
        "flashlite/openai/echo",
        samples=["Hi"] * SAMPLES,
        model_base_url=base_url,
        model_args={"api_key": "k", **options.pop("model_args", {})},
        fail_on_error=False,
        **options,
    )
    assert log.samples is not None
    assert {e.retries for sample in log.samples for e in model_events(sample)} == {None}
    return log, log.samples


def _outcome(log: EvalLog, samples: list[EvalSample], requests: int) -> Outcome:
    errors = [event.error for sample in samples for event in model_events(sample)]
    attempts = sorted((_plain(error) for error in errors), key=str)
    failed = [_plain(sample.error.message) or "" for sample in samples if sample.error]
    return Outcome(log.status, requests, attempts, failed)


def _plain(error: str | None) -> str | None:
    return None if error is None else error.partition(": ")[2].partition(",")[0]


@connections
@pytest.mark.parametrize("status", [429, 500])
def test_what_may_pass_is_asked_again_after_the_time_that_was_said(status: int, said: str) -> None:
    with MockServer("echo", status=status, times=2, retry_after=0.2) as server:
        log, samples = _ask(server.base_url, **CONNECTIONS[said])
        told = f"the mock was told to answer {status} (status {status}"
        assert _outcome(log, samples, len(server.requests)) == Outcome(
            "success", SAMPLES + 2, [None] * SAMPLES + [told] * 2, []
        )
    for sample in samples:
        assert sample.total_time is not None
        assert sample.working_time is not None
        waited = sample.total_time - sample.working_time
        assert len(model_events(sample)) == 1 or waited >= 0.2


@connections
def test_there_are_as_many_retries_as_was_said_and_the_reason_is_told(said: str) -> None:
    with MockServer("echo", status=429, retry_after=0.01) as server:
        log, samples = _ask(server.base_url, max_retries=2, **CONNECTIONS[said])
        told = "the mock was told to answer 429 (status 429"
        assert _outcome(log, samples, len(server.requests)) == Outcome(
            "success", 3 * SAMPLES, [told] * 3 * SAMPLES, [told] * SAMPLES
        )


@connections
def test_who_has_no_credit_is_not_asked_again(said: str) -> None:
    error = {"message": "No credit.", "type": "insufficient_quota", "code": "insufficient_quota"}
    with Loopback(lambda _: (429, {"retry-after": "1"}, {"error": error})) as server:
        log, samples = _ask(server.base_url, **CONNECTIONS[said])
        assert _outcome(log, samples, len(server.bodies)) == Outcome(
            "success",
            SAMPLES,
            ["No credit. (status 429"] * SAMPLES,
            ["No credit. (status 429"] * SAMPLES,
        )


@connections
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"status": 500}, "the mock was told to answer 500 (status 500)"),
        ({"cut": 0}, "the connection broke"),
        ({"latency": 30}, "no answer within 0.4 s"),
    ],
)
def test_one_attempt_is_one_request(fault: dict[str, Any], told: str, said: str) -> None:
    with MockServer("echo", **fault) as server:
        log, samples = _ask(
            server.base_url,
            max_retries=0,
            model_args={"request_timeout": 0.4} if "latency" in fault else {},
            **CONNECTIONS[said],
        )
        found = _outcome(log, samples, len(server.requests))
    assert (found.status, found.requests) == ("success", SAMPLES)
    assert {error and error[: len(told)] for error in (*found.attempts, *found.errors)} == {told}
    assert len(found.errors) == SAMPLES
