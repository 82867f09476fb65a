"""Batches by the providers' own batch APIs, against a server that speaks the three of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import (
    APIConnectionError,
    APITimeoutError,
    BadRequestError,
    Budget,
    BudgetExceededError,
    CompletionError,
    ConfigError,
    Flashlite,
    FlashliteError,
    InternalServerError,
    MemoryCache,
    NotFoundError,
    RateLimitConfig,
    RetryConfig,
)
from flashlite.batch import Batch, ProviderBatch
from flashlite.batch.jobs import Pace
from flashlite.middleware import WithinBudget
from flashlite.testing import ScriptedProvider
from flashlite.types import Target

from .batch_server import BatchServer
from .files import kinds, read, write

MODELS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "google": "google/gemini-2.5-flash",
}
HALF_PRICE = {"openai": 0.000105, "anthropic": 0.00225, "google": 0.000275}  # 1000 in, 100 out
QUICKLY = RetryConfig(max_attempts=3, initial_delay=0.001)
PROMPTS = [f"q{n}" for n in range(6)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture(params=MODELS)
def dialect(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def client_of(server: BatchServer, dialect: str = "openai", **options: Any) -> Flashlite:
    address, model = server.address(dialect), MODELS[dialect]
    return Flashlite(model, base_url=address, api_key="key-of-nobody", retry=QUICKLY, **options)


def batch_of(client: Flashlite, requests: Any, path: Path, **options: Any) -> Batch:
    return client.batch(requests, checkpoint=path, mode="provider", poll_interval=0.005, **options)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that the server or the file tells."""
    while not is_so():  # noqa: ASYNC110 - neither has anything to wait for
        await asyncio.sleep(0.002)


async def submit_and_leave(client: Flashlite, path: Path) -> None:
    """Submit the prompts as a job and stop before it is over."""
    batch = batch_of(client, PROMPTS, path)
    answers = asyncio.ensure_future(batch)
    await until(lambda: path.exists() and "job" in kinds(path))
    batch.stop()
    with pytest.raises(FlashliteError, match="the batch was stopped"):
        await answers


async def impatient(client: Flashlite, path: Path) -> list[Any]:
    """Answer the prompts, and give each exchange up after two tries."""
    pace = Pace(poll_interval=0.005, idle=0.005, max_failures=2)
    crowd = partial(client.crowd, workers=10)
    how: Any = {"checkpoint": path, "order": "input", "return_exceptions": False}
    return await ProviderBatch(client, PROMPTS, crowd, pace=pace, progress=False, **how)


def contents(answers: list[Any]) -> list[str]:
    return [answer.content for answer in answers]


async def test_answers_come_in_order_at_half_the_price(path: Path, dialect: str) -> None:
    with BatchServer() as server:
        async with client_of(server, dialect) as client:
            answers = await batch_of(client, PROMPTS, path)
    assert contents(answers) == [prompt.upper() for prompt in PROMPTS]
    assert server.bill == Counter(PROMPTS)
    assert len(server.jobs) == 1
    assert answers[0].cost == pytest.approx(HALF_PRICE[dialect])
    assert client.total_cost == pytest.approx(6 * HALF_PRICE[dialect])
    assert client.total_tokens == 6600


async def test_a_price_that_is_not_listed_for_batches_is_half_of_the_usual_one(path: Path) -> None:
    with BatchServer() as server:
        async with client_of(server) as client:
            requests = [{"messages": "Hi", "model": "openai/gpt-3.5-turbo"}]
            [answer] = await batch_of(client, requests, path)
    assert answer.cost == pytest.approx((1000 * 0.5e-6 + 100 * 1.5e-6) / 2)


async def test_what_a_provider_says_that_it_billed_is_believed(path: Path) -> None:
    with BatchServer(looks=10**9) as server:
        async with client_of(server) as client:
            answers = asyncio.ensure_future(batch_of(client, ["Hi"], path))
            await until(lambda: bool(server.jobs))
            server.jobs[0].results[0]["response"]["body"]["usage"]["cost"] = 0.5
            server.jobs[0].looks_left = 1
            [answer] = await answers
    assert (answer.cost, client.total_cost) == (0.5, 0.5)


async def test_a_layer_of_the_callers_own_watches_batches_too(path: Path) -> None:
    target = Target(provider="openai", dialect="openai", model="gpt-4o-mini")
    broke = WithinBudget(Budget(0.0), target=lambda _: target)
    with BatchServer() as server:
        async with client_of(server, middleware=[broke]) as client:
            with pytest.raises(BudgetExceededError):
                await batch_of(client, ["Hi"], path)
    assert server.jobs == []


async def test_the_key_goes_along_and_is_nowhere_on_file(path: Path, dialect: str) -> None:
    with BatchServer() as server:
        async with client_of(server, dialect) as client:
            await batch_of(client, ["Hi"], path)
    names = {"openai": "authorization", "anthropic": "x-api-key", "google": "x-goog-api-key"}
    assert {headers[names[dialect]].removeprefix("Bearer ") for headers in server.headers} == {
        "key-of-nobody"
    }
    assert "key-of-nobody" not in read(path)


async def test_a_second_run_asks_nobody(path: Path, dialect: str) -> None:
    with BatchServer() as server:
        async with client_of(server, dialect) as client:
            first = await batch_of(client, PROMPTS, path)
            said = len(server.paths)
            batch = batch_of(client, PROMPTS, path)
            second = await batch
    assert [a.to_dict() for a in second] == [a.to_dict() for a in first]
    assert (batch.restored, batch.lost, len(server.paths)) == (6, 0, said)
    assert kinds(path)[:2] == ["submission", "job"]
    assert Counter(kinds(path)) == {"submission": 1, "job": 1, "answer": 6, "closed": 1}


async def test_a_run_with_calls_goes_on_where_one_with_jobs_has_ended(path: Path) -> None:
    with BatchServer() as server:
        async with client_of(server) as client:
            await batch_of(client, PROMPTS, path)
            batch = client.batch(PROMPTS, checkpoint=path)
            assert contents(await batch) == [prompt.upper() for prompt in PROMPTS]


async def test_equal_requests_have_an_answer_each(path: Path, dialect: str) -> None:
    with BatchServer() as server:
        async with client_of(server, dialect) as client:
            answers = await batch_of(client, ["a"] * 3, path)
            assert contents(await batch_of(client, ["a"] * 4, path)) == ["A"] * 4
    assert len({answer.request_id for answer in answers}) == 3
    assert server.bill == {"a": 4}


async def test_jobs_are_for_one_model_each_and_no_larger_than_they_may_be(path: Path) -> None:
    requests: list[Any] = [{"messages": f"q{n}", "model": "openai/gpt-4o"} for n in range(5)]
    with BatchServer() as server:
        async with client_of(server) as client:
            answers = await batch_of(client, [*PROMPTS, *requests], path, max_concurrency=4)
    models = [{line["body"]["model"] for line in job.lines} for job in server.jobs]
    assert all(len(of_job) == 1 for of_job in models)
    assert max(len(job.lines) for job in server.jobs) <= 4
    assert len(answers) == 11


async def test_a_request_that_is_refused_fails_alone_and_is_tried_again(
    path: Path, dialect: str
) -> None:
    with BatchServer(fate=lambda prompt, _: "refuse" if prompt == "q1" else "answer") as server:
        async with client_of(server, dialect) as client:
            answers = await batch_of(client, PROMPTS, path, return_exceptions=True)
            assert isinstance(answers[1], BadRequestError)
            assert answers[1].request_id is not None
            assert client.ledger.total.failed == 1
            assert client.total_cost == pytest.approx(5 * HALF_PRICE[dialect])
            server.fate = lambda prompt, _: "answer"
            again = await batch_of(client, PROMPTS, path)
    assert contents(again) == [prompt.upper() for prompt in PROMPTS]
    assert server.bill == Counter(PROMPTS)


@pytest.mark.parametrize("fate", ["expire", "hiccup"])
async def test_what_was_left_undone_is_submitted_again(path: Path, dialect: str, fate: Any) -> None:
    with BatchServer(
        fate=lambda prompt, time: fate if prompt in ("q2", "q4") and time == 1 else "answer"
    ) as server:
        async with client_of(server, dialect) as client:
            answers = await batch_of(client, PROMPTS, path)
    assert contents(answers) == [prompt.upper() for prompt in PROMPTS]
    assert server.bill == Counter(PROMPTS)
    assert sum(len(job.lines) for job in server.jobs) == 6 + 2
    assert answers[2].attempts == 2


async def test_what_expires_again_and_again_is_reported_and_not_done(path: Path) -> None:
    with BatchServer(fate=lambda prompt, _: "expire" if prompt == "q0" else "answer") as server:
        async with client_of(server) as client:
            with pytest.raises(APITimeoutError, match="the job expired before") as raised:
                await batch_of(client, PROMPTS, path)
            assert (raised.value.attempts, raised.value.may_be_billed) == (3, False)
            assert client.ledger.total.unknown == 0
    assert server.had["q0"] == 3
    assert len(raised.value.answers) == 5
    assert kinds(path).count("answer") == 5


async def test_a_job_that_comes_too_soon_is_submitted_again(path: Path) -> None:
    with BatchServer(refusals=("token_limit_exceeded", "token_limit_exceeded")) as server:
        async with client_of(server) as client:
            answers = await batch_of(client, PROMPTS, path)
    assert contents(answers) == [prompt.upper() for prompt in PROMPTS]
    assert (len(server.jobs), server.bill) == (3, Counter(PROMPTS))
    assert len(server.files) == 1


async def test_a_job_that_breaks_is_tried_as_often_as_its_requests_may_be(path: Path) -> None:
    with BatchServer(refusals=("13",) * 9) as server:
        async with client_of(server, "google") as client:
            with pytest.raises(InternalServerError, match="the job failed: refused") as raised:
                await batch_of(client, PROMPTS[:1], path)  # several may part on the way
    assert (len(server.jobs), raised.value.attempts) == (3, 3)


async def test_a_job_that_is_refused_says_why(path: Path) -> None:
    with BatchServer(refusals=("invalid_json_line",)) as server:
        async with client_of(server) as client:
            with pytest.raises(BadRequestError, match="the job was refused: refused") as raised:
                await batch_of(client, PROMPTS, path)
            assert raised.value.code == "invalid_json_line"
            assert contents(await batch_of(client, PROMPTS, path))[0] == "Q0"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_provider_in_trouble_is_asked_again(
    path: Path, dialect: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    troubles = Counter[str]()

    def trouble(method: str, path: str) -> int:
        troubles[f"{method} {path}"] += 1
        return status if troubles[f"{method} {path}"] == 1 else 200

    with BatchServer(status=trouble) as server:
        async with client_of(server, dialect) as client:
            answers = await batch_of(client, PROMPTS, path)
    assert contents(answers) == [prompt.upper() for prompt in PROMPTS]
    assert server.bill == Counter(PROMPTS)
    assert "not now" in caplog.text
    assert "key-of-nobody" not in caplog.text


async def test_no_job_is_submitted_twice_when_the_line_breaks(path: Path, dialect: str) -> None:
    """Every exchange breaks once, when the server has done its part."""
    broken = set[str]()

    def cut(method: str, path: str) -> bool:
        is_first = f"{method} {path}" not in broken
        broken.add(f"{method} {path}")
        return is_first

    with BatchServer(cut=cut, page=1) as server:
        async with client_of(server, dialect) as client:
            answers = await batch_of(client, PROMPTS, path)
    assert contents(answers) == [prompt.upper() for prompt in PROMPTS]
    assert (len(server.jobs), server.bill) == (1, Counter(PROMPTS))


async def test_a_wrong_key_ends_the_batch_before_anything_is_paid(path: Path) -> None:
    with BatchServer(status=lambda method, path: 401) as server:
        async with client_of(server) as client:
            with pytest.raises(CompletionError, match="not now") as raised:
                await batch_of(client, PROMPTS, path)
    assert raised.value.provider == "openai"
    assert "key-of-nobody" not in str(raised.value)
    assert "submission" not in kinds(path)


async def test_the_cache_answers_first_and_keeps_what_comes(path: Path, tmp_path: Path) -> None:
    with BatchServer() as server:
        async with client_of(server, cache=MemoryCache()) as client:
            await batch_of(client, ["q0", "q1"], path)
            answers = await batch_of(client, PROMPTS, tmp_path / "other.jsonl")
    assert [answer.cached for answer in answers] == [True, True, False, False, False, False]
    assert server.bill == Counter(PROMPTS)


class Loud(BaseModel):
    loud: str


async def test_an_answer_that_does_not_fit_is_asked_for_again_in_another_job(path: Path) -> None:
    requests = [{"messages": '{"LOUD": "x"}', "response_model": Loud, "structured_retries": 1}]
    with BatchServer() as server:
        async with client_of(server) as client:
            with pytest.raises(CompletionError, match="did not fit Loud after 2 tries"):
                await batch_of(client, requests, path)
            assert client.ledger.total.wasted == pytest.approx(2 * HALF_PRICE["openai"])
    assert len(server.jobs) == 2
    assert "response_format" in server.jobs[0].lines[0]["body"]


async def test_neither_the_minute_nor_the_seats_hold_a_job_up(path: Path) -> None:
    limit = RateLimitConfig(requests_per_minute=1)
    with BatchServer() as server:
        async with client_of(server, rate_limit=limit, max_concurrency=1) as client:
            assert len(await batch_of(client, PROMPTS, path)) == 6
    assert len(server.jobs) == 1


async def test_a_budget_submits_no_more_than_it_can_pay_for(path: Path) -> None:
    requests = [{"messages": prompt, "max_tokens": 100} for prompt in PROMPTS]
    with BatchServer() as server:
        # 100 tokens of an answer cost 0.00003 in a batch, and twice as much elsewhere.
        async with client_of(server, budget_limit=0.0001) as client:
            with pytest.raises(BudgetExceededError):
                await batch_of(client, requests, path)
    assert [len(job.lines) for job in server.jobs] == [3]
    assert kinds(path).count("answer") == 3


async def test_cancelling_ends_the_jobs_and_keeps_what_was_answered(
    path: Path, dialect: str
) -> None:
    with BatchServer(looks=10**9) as server:
        async with client_of(server, dialect) as client:
            batch = batch_of(client, PROMPTS, path, return_exceptions=True)
            assert isinstance(batch, ProviderBatch)
            answers = asyncio.ensure_future(batch)
            await until(lambda: path.exists() and "job" in kinds(path))
            await batch.cancel()
            told = await answers
    assert [isinstance(answer, Exception) for answer in told] == [False, True] * 3
    if dialect != "google":
        assert "the job was cancelled" in str(told[1])
    assert kinds(path).count("answer") == 3
    assert client.ledger.total.unknown == 0


async def test_a_stopped_batch_leaves_its_jobs_to_the_next_run(path: Path, dialect: str) -> None:
    with BatchServer(looks=10**9) as server:
        async with client_of(server, dialect) as client:
            await submit_and_leave(client, path)
            server.jobs[0].looks_left = 1
            assert contents(await batch_of(client, PROMPTS, path))[5] == "Q5"
    assert (len(server.jobs), server.bill) == (1, Counter(PROMPTS))


async def test_calls_are_refused_where_a_job_would_bring_the_same_answers(path: Path) -> None:
    with BatchServer(looks=10**9) as server:
        async with client_of(server) as client:
            await submit_and_leave(client, path)
            with pytest.raises(ConfigError, match=r"has 1 jobs .* go on with mode='provider'"):
                await client.batch(PROMPTS, checkpoint=path)


@pytest.mark.parametrize("first", ["answer", "expire"])
async def test_calls_go_on_where_all_that_jobs_brought_for_an_answer_is_on_file(
    path: Path, dialect: str, first: Any
) -> None:
    """Each answer takes two jobs, and the run is killed right before it says that they are over."""
    requests = [{"messages": prompt, "response_model": Loud} for prompt in PROMPTS]
    with BatchServer(
        fate=lambda prompt, time: first if time == 1 else "answer",
        says=lambda prompt: "no JSON" if prompt in PROMPTS else '{"loud": "x"}',
    ) as server:
        async with client_of(server, dialect) as client:
            await batch_of(client, requests, path)
            whole = read(path).splitlines(keepends=True)
            write(path, "".join(line for line in whole if '"closed"' not in line))
            said = len(server.paths)
            assert await client.batch(requests, checkpoint=path) == [Loud(loud="x")] * 6
    assert (len(server.jobs) > 1, len(server.paths)) == (True, said)


async def test_a_job_that_its_provider_does_not_know_is_not_paid_for_again(path: Path) -> None:
    with BatchServer(looks=10**9) as server:
        async with client_of(server) as client:
            await submit_and_leave(client, path)
            submitted, server.jobs = server.jobs, []
            with pytest.raises(NotFoundError, match="has submitted batch_1: perhaps with another"):
                await batch_of(client, PROMPTS, path)
            assert server.jobs == []
            server.jobs, submitted[0].looks_left = submitted, 1
            assert contents(await batch_of(client, PROMPTS, path))[5] == "Q5"


async def test_a_job_that_its_provider_does_not_know_can_be_given_up(path: Path) -> None:
    with BatchServer(looks=10**9) as server:
        async with client_of(server) as client:
            await submit_and_leave(client, path)
            server.jobs, server.looks = [], 1
            batch = batch_of(client, PROMPTS, path, return_exceptions=True)
            assert isinstance(batch, ProviderBatch)
            await batch.cancel()
            assert {type(answer) for answer in await batch} == {CompletionError}
            assert contents(await batch_of(client, PROMPTS, path))[5] == "Q5"
    assert len(server.jobs) == 1


async def test_where_no_job_was_submitted_it_is_given_up_after_a_few_tries(
    path: Path, dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    with BatchServer() as server:
        client = client_of(server, dialect)  # of a server that is gone by then
    async with client:
        with pytest.raises(APIConnectionError, match="; no job was submitted") as raised:
            await batch_of(client, PROMPTS, path)
        assert (raised.value.provider, raised.value.retryable) == (dialect, False)
        told = caplog.messages
        assert [message.partition(",")[0] for message in told[:-1]] == [
            f"try {number} of 6 failed" for number in range(1, 6)
        ]
        assert all(f"{dialect}: could not connect to 127.0.0.1" in message for message in told)
        assert told[-1].startswith("a job of 6 requests failed: ")
        with pytest.raises(APIConnectionError, match="could not connect"):
            await client.batch(PROMPTS, checkpoint=path)


async def test_a_job_that_runs_is_worth_more_tries(path: Path, dialect: str) -> None:
    troubles = 0

    def trouble(method: str, path: str) -> int:
        nonlocal troubles
        troubles += method == "GET"
        return 503 if method == "GET" and troubles < 10 else 200

    with BatchServer(status=trouble) as server:
        async with client_of(server, dialect) as client:
            assert contents(await batch_of(client, PROMPTS, path))[5] == "Q5"


async def test_a_server_without_a_batch_api_is_named_once_a_job(
    path: Path, dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    places = {"openai": "/v1/files", "anthropic": "/v1/messages/batches"}
    place = places.get(dialect, "/upload/v1beta/files")
    with BatchServer(status=lambda method, path: 404) as server:
        async with client_of(server, dialect) as client:
            with pytest.raises(NotFoundError) as raised:
                await batch_of(client, PROMPTS, path)
    assert raised.value.reason.endswith(
        f" at {server.root}{place}; perhaps there is no batch API: "
        "leave mode='provider' (--provider) out"
    )
    [told] = caplog.messages
    assert raised.value.reason in told
    assert "key-of-nobody" not in told


@pytest.mark.parametrize("is_second_run", [False, True])
async def test_what_nobody_can_hear_of_is_not_asked_for_again(
    path: Path, dialect: str, is_second_run: bool
) -> None:
    """The provider takes a job, and then does not tell how it is for longer than we ask."""
    with BatchServer(looks=10**9) as server:
        async with client_of(server, dialect) as client:
            if is_second_run:
                await submit_and_leave(client, path)
            server.status = lambda method, path: 503 if method == "GET" else 200
            with pytest.raises(CompletionError, match="so it is not asked for again") as raised:
                await impatient(client, path)
            assert (raised.value.retryable, raised.value.may_be_billed) == (False, True)
            server.status, server.jobs[0].looks_left = (lambda method, path: 200), 1
            assert contents(await batch_of(client, PROMPTS, path))[5] == "Q5"
    assert (len(server.jobs), server.bill) == (1, Counter(PROMPTS))


async def test_a_job_that_may_have_come_to_be_is_not_submitted_again(
    path: Path, dialect: str
) -> None:
    """The provider takes a job without saying so, and then is away for longer than we ask."""
    away = False

    def cut(method: str, path: str) -> bool:
        nonlocal away
        away = away or bool(server.jobs)
        return away

    with BatchServer(looks=1, cut=cut) as server:
        async with client_of(server, dialect) as client:
            with pytest.raises(CompletionError, match="so it is not asked for again"):
                await impatient(client, path)
            server.cut = lambda method, path: False
            assert contents(await batch_of(client, PROMPTS, path))[5] == "Q5"
    assert (len(server.jobs), server.bill) == (1, Counter(PROMPTS))


async def test_of_a_job_only_what_is_wanted_is_taken_and_the_rest_stays(path: Path) -> None:
    with BatchServer(looks=10**9) as server:
        async with client_of(server) as client:
            await submit_and_leave(client, path)
            server.jobs[0].looks_left = 1
            assert contents(await batch_of(client, ["q3"], path)) == ["Q3"]
            assert "closed" not in kinds(path)
            assert contents(await batch_of(client, PROMPTS, path))[5] == "Q5"
    assert (len(server.jobs), server.bill) == (1, Counter(PROMPTS))
    assert kinds(path).count("closed") == 1


async def test_a_host_without_a_batch_api_is_named(path: Path) -> None:
    client = Flashlite("deepseek/deepseek-chat", api_key="k")
    with pytest.raises(ConfigError, match="no batch API is known of deepseek"):
        await batch_of(client, ["Hi"], path)


async def test_a_client_with_a_provider_of_its_own_has_no_batch_api(path: Path) -> None:
    client = Flashlite("m", provider=ScriptedProvider(["x"]))
    with pytest.raises(ConfigError, match="needs a client without provider"):
        batch_of(client, ["Hi"], path)


async def test_a_mode_that_is_none_and_a_poll_interval_that_is_none_are_refused(
    path: Path,
) -> None:
    client = Flashlite("openai/gpt-4o")
    with pytest.raises(ConfigError, match="mode is one of calls, provider; got 'batch'"):
        client.batch(["Hi"], checkpoint=path, mode="batch")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="poll_interval is a number of seconds; got 0"):
        client.batch(["Hi"], checkpoint=path, mode="provider", poll_interval=0)


async def test_results_that_cannot_be_read_are_no_answers(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with BatchServer(looks=10**9) as server, caplog.at_level(logging.WARNING):
        async with client_of(server) as client:
            answers = asyncio.ensure_future(batch_of(client, PROMPTS, path, return_exceptions=True))
            await until(lambda: bool(server.jobs))
            server.jobs[0].results[2] = {"response": {"status_code": 200, "body": {}}}
            server.jobs[0].results.append({"custom_id": "of-somebody-else", "error": {}})
            server.looks = server.jobs[0].looks_left = 0
            told = await answers
    assert "a line of a job's results cannot be read" in caplog.text
    assert contents(told)[2] == "Q2"  # the retry got it from another job
    assert len(server.jobs) == 2
