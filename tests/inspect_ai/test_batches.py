"""`--batch`: an eval by the providers' batch APIs, and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import BatchConfig, GenerateConfig, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

from flashlite.batch.jobs import Pace
from flashlite.errors import CompletionError
from flashlite.inspect_ai._batches import pace_of
from flashlite.inspect_ai._private import PrerequisiteError
from flashlite.providers import HOSTS

from ..batch.batch_server import BatchServer
from ..batch.test_provider_batch import HALF_PRICE, MODELS

QUESTIONS = [f"q{n}" for n in range(6)]
QUICKLY = BatchConfig(size=6, send_delay=0.2, tick=0.01)
OPENAI = next(host for host in HOSTS if host.name == "openai")


@pytest.fixture(params=MODELS)
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def evaluate(server: BatchServer, dialect: str, folder: Path, **arguments: Any) -> EvalLog:
    """Ask each question twice."""
    dataset = [Sample(input=question, target=question.upper()) for question in QUESTIONS]
    [log] = eval(
        Task(dataset=dataset, solver=generate(), scorer=includes(), epochs=2),
        model=f"flashlite/{MODELS[dialect]}",
        model_base_url=server.address(dialect),
        model_args={"api_key": "k", **arguments},
        log_dir=str(folder),
        display="none",
        batch=QUICKLY,
    )
    return log


def test_an_eval_travels_in_jobs_at_half_the_price(tmp_path: Path, dialect: str) -> None:
    with BatchServer() as server:
        log = evaluate(server, dialect, tmp_path)
    assert (log.status, log.results and log.results.scores[0].metrics["accuracy"].value) == (
        "success",
        1.0,
    )
    assert server.bill == Counter(QUESTIONS * 2)
    assert len(server.jobs) < 12
    [usage] = log.stats.model_usage.values()
    assert usage.total_cost == pytest.approx(12 * HALF_PRICE[dialect])
    assert log.samples is not None
    [event] = [event for event in log.samples[0].events if event.event == "model"]
    assert event.call is not None
    assert "q0" in str(event.call.request)


def test_what_expires_is_tried_again_by_inspect(tmp_path: Path) -> None:
    with BatchServer(fate=lambda _, time: "expire" if time == 1 else "answer") as server:
        log = evaluate(server, "openai", tmp_path)
    assert log.status == "success"
    assert server.bill == Counter(QUESTIONS * 2)


def test_a_budget_holds_in_jobs_too(tmp_path: Path) -> None:
    with BatchServer() as server:
        log = evaluate(
            server,
            "openai",
            tmp_path,
            budget=0.0003,
            pool="jobs with little money",
            max_tokens=100,
        )
    assert log.samples is not None
    assert 0 < server.bill.total() < 12
    ended = Counter(sample.limit.type if sample.limit else None for sample in log.samples)
    assert ended == {None: server.bill.total(), "custom": 12 - server.bill.total()}


async def test_each_event_loop_has_jobs_of_its_own() -> None:
    with BatchServer() as server:
        model = get_model(
            "flashlite/openai/gpt-4o-mini", base_url=server.address("openai"), api_key="k"
        )
        config = GenerateConfig(batch=QUICKLY)
        output = await model.generate("Hi", config=config)
    assert (output.completion, len(server.jobs)) == ("HI", 1)
    assert output.metadata is not None
    assert output.metadata["flashlite"]["service_tier"] == "batch"


async def test_a_job_that_nobody_can_hear_of_is_not_submitted_again_by_inspect() -> None:
    batch = BatchConfig(size=1, send_delay=0.01, tick=0.005, max_consecutive_check_failures=2)
    with BatchServer(status=lambda method, path: 503 if method == "GET" else 200) as server:
        model = get_model(
            "flashlite/openai/gpt-4o-mini", base_url=server.address("openai"), api_key="k"
        )
        with pytest.raises(CompletionError, match="so it is not asked for again"):
            await model.generate("Hi", config=GenerateConfig(batch=batch))
    assert len(server.jobs) == 1


@pytest.mark.parametrize(
    ("batch", "pace"),
    [
        (None, None),
        (False, None),
        (True, Pace(least=100, patience=15, max_jobs=50, max_failures=1000)),
        (7, Pace(least=7, patience=15, max_jobs=50, max_failures=1000)),
        (
            BatchConfig(
                size=5,
                max_size=20,
                send_delay=3,
                tick=0.5,
                max_batches=2,
                max_consecutive_check_failures=4,
            ),
            Pace(
                least=5,
                most=20,
                idle=0.5,
                patience=3,
                poll_interval=0.5,
                max_jobs=2,
                max_failures=4,
            ),
        ),
        (
            BatchConfig(max_size=20),
            Pace(least=20, most=20, patience=15, max_jobs=50, max_failures=1000),
        ),
    ],
)
def test_a_batch_config_is_a_pace(batch: Any, pace: Pace | None) -> None:
    assert pace_of(GenerateConfig(batch=batch), OPENAI, model="openai/m") == pace


@pytest.mark.parametrize(
    ("model", "arguments", "whose"),
    [
        ("deepseek/deepseek-chat", {}, " of deepseek"),
        ("mock/echo", {}, ""),
        ("openai/gpt-4o", {"native": False}, ""),
    ],
)
async def test_where_no_batch_api_is_known_a_batch_is_refused(
    model: str, arguments: dict[str, Any], whose: str
) -> None:
    api = get_model(f"flashlite/{model}", api_key="k", **arguments)
    with pytest.raises(PrerequisiteError) as raised:
        await api.generate("Hi", config=GenerateConfig(batch=True))
    assert str(raised.value.message) == (
        f"flashlite/{model} cannot do batch: no batch API{whose} is known; leave it out."
    )
