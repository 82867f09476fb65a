"""A limit in dollars that is never passed."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite import (
    APIConnectionError,
    Budget,
    BudgetExceededError,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    Flashlite,
    InternalServerError,
    Message,
    Prices,
    RateLimitConfig,
    StoreError,
    StreamInterruptedError,
    Usage,
    register_model,
)
from flashlite.middleware import RetryConfig, WithinBudget, stack
from flashlite.middleware.worst_case import most_input, most_output, worst_case
from flashlite.models import ModelProfile, count_tokens, priced, unregister_model
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider
from flashlite.types import Target, file_part, image_part

TARGET = Target(provider="openai", dialect="openai", model="gpt-4o")
REQUEST = CompletionRequest(
    model="openai/gpt-4o", messages=(Message.user("Hi"),), params={"max_tokens": 10_000}
)
WORST = worst_case(REQUEST, TARGET) or 0.0  # a little more than $0.10
ONCE = RetryConfig(max_attempts=1)


def costing(dollars: float | None) -> CompletionResponse:
    return CompletionResponse.of("x", usage=Usage(output_tokens=1, total_cost=dollars))


def within(budget: Budget, *answers: Any) -> Any:
    return stack([WithinBudget(budget, target=lambda _: TARGET)], ScriptedProvider(answers))


async def test_a_call_is_settled_at_its_true_cost() -> None:
    budget = Budget(1.0)
    assert (await within(budget, costing(0.01))(REQUEST)).content == "x"
    assert (budget.spent, budget.reserved) == (0.01, 0.0)


async def test_a_call_that_can_never_fit_is_not_sent() -> None:
    budget, provider = Budget(0.1), ScriptedProvider([])
    handler = stack([WithinBudget(budget, target=lambda _: TARGET)], provider)
    with pytest.raises(BudgetExceededError) as caught:
        await handler(REQUEST)
    assert str(caught.value) == (
        "$0.00 of the budget of $0.10 are spent, and this call may cost up to $0.1001; a smaller "
        "max_tokens lowers that"
    )
    assert (provider.requests, budget.spent, budget.reserved) == ([], 0.0, 0.0)


async def test_a_call_waits_while_others_may_give_back_and_fails_when_they_did_not() -> None:
    budget = Budget(WORST * 1.5)
    first = await budget.reserve(WORST)
    second, third = [asyncio.create_task(budget.reserve(WORST)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not second.done()
    budget.settle(first, WORST * 0.2)
    budget.settle(await second, WORST)
    with pytest.raises(BudgetExceededError):
        await third
    assert budget.reserved == 0


async def test_a_small_call_does_not_overtake_a_large_one_that_waits() -> None:
    budget = Budget(10)
    first = await budget.reserve(6)
    large, small = asyncio.create_task(budget.reserve(8)), asyncio.create_task(budget.reserve(1))
    await asyncio.sleep(0)
    assert (large.done(), small.done()) == (False, False)
    budget.settle(first, 1)
    await large
    assert (budget.spent, budget.reserved) == (1, 9)
    await small


@pytest.mark.parametrize(
    ("error", "spent"),
    [
        (InternalServerError("no", status_code=500), 0.0),
        (APIConnectionError("the connection broke"), WORST),
        (ConfigError("wrong"), 0.0),
    ],
)
async def test_a_failure_costs_what_it_may_have_cost(error: Exception, spent: float) -> None:
    budget = Budget(1)
    with pytest.raises(type(error)):
        await within(budget, error)(REQUEST)
    assert (budget.spent, budget.reserved) == (pytest.approx(spent), 0.0)


async def test_an_answer_without_usage_costs_all_that_was_reserved() -> None:
    budget = Budget(1)
    await within(budget, costing(None))(REQUEST)
    assert (budget.spent, budget.reserved) == (pytest.approx(WORST), 0.0)


async def test_a_call_that_was_never_sent_costs_nothing() -> None:
    engine = Flashlite("openai/gpt-4o", base_url="http://127.0.0.1:9", retry=ONCE, budget_limit=1)
    with pytest.raises(APIConnectionError):
        await engine.complete("Hi")
    assert await Budget.of(1).reserve(1)  # type: ignore[union-attr]
    assert engine.get_cost_report()["unknown"] == 0


STREAM = [
    {"choices": [{"delta": {"content": "Hi"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}},
]


@pytest.mark.parametrize("is_read_whole", [True, False])
async def test_a_stream_is_settled_when_it_is_complete(is_read_whole: bool) -> None:
    budget = Budget(1)
    engine = Flashlite(
        "openai/gpt-4o",
        api_key="k",
        transport=ReplayTransport([Reply.stream(STREAM)]),
        budget_limit=budget,
        max_tokens=10_000,
    )
    async with aclosing(engine.stream("Hi")) as events:
        await anext(events)
        assert budget.reserved == pytest.approx(WORST)
        if is_read_whole:
            _ = [event async for event in events]
    spent = 100 * 2.5e-6 + 10 * 1e-5 if is_read_whole else WORST
    assert (budget.spent, budget.reserved) == (pytest.approx(spent), 0.0)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancelled_call_counts_only_where_it_was_on_the_wire(times: int) -> None:
    budget, came = Budget(WORST * 1.5), asyncio.Event()

    async def provider(_: CompletionRequest) -> CompletionResponse:
        came.set()
        await asyncio.Event().wait()
        raise AssertionError

    handler = stack([WithinBudget(budget, target=lambda _: TARGET)], provider)
    running, waiting = [asyncio.ensure_future(handler(REQUEST)) for _ in range(2)]
    await came.wait()
    for _ in range(times):
        waiting.cancel()
        running.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(running, waiting, return_exceptions=True)
    assert (running.cancelled(), waiting.cancelled()) == (True, True)
    assert (budget.spent, budget.reserved) == (pytest.approx(WORST), 0.0)


async def test_cancelling_in_the_moment_of_the_grant_gives_it_back() -> None:
    budget = Budget(1)
    first = await budget.reserve(1)
    waiting = asyncio.create_task(budget.reserve(1))
    await asyncio.sleep(0)
    budget.settle(first, 0.0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (waiting.cancelled(), budget.reserved) == (True, 0.0)


async def test_a_cancelled_call_that_says_it_was_not_sent_costs_nothing() -> None:
    end = asyncio.CancelledError()
    end.__dict__["may_be_billed"] = False
    budget = Budget(1.0)
    with pytest.raises(asyncio.CancelledError):
        await within(budget, end)(REQUEST)
    assert (budget.spent, budget.reserved) == (0.0, 0.0)


async def test_a_stream_of_claude_that_breaks_costs_what_was_reserved() -> None:
    """Its first event tells a usage, which counts one token of the answer."""
    start = {"usage": {"input_tokens": 9, "output_tokens": 1}}
    broken = Reply.stream([{"type": "message_start", "message": start}])
    budget = Budget(10.0)
    client = Flashlite(
        "anthropic/claude-opus-4-6",
        api_key="k",
        transport=ReplayTransport([broken]),
        budget_limit=budget,
        max_tokens=1000,
    )
    with pytest.raises(StreamInterruptedError):
        [event async for event in client.stream("Hi")]
    assert budget.spent > 0.02
    assert client.get_cost_report()["unknown"] == 1


async def test_an_unknown_price_is_refused_unless_it_is_allowed() -> None:
    request = REQUEST.with_(model="vllm/my-model")
    target = Target(provider="vllm", dialect="openai", model="my-model")
    strict, lenient = (
        stack(
            [WithinBudget(Budget(1, allow_unknown_prices=allow), target=lambda _: target)],
            ScriptedProvider(["x"]),
        )
        for allow in (False, True)
    )
    with pytest.raises(ConfigError) as caught:
        await strict(request)
    assert str(caught.value) == (
        "a budget needs the price of vllm/my-model, which is not known: tell it with "
        "register_model(..., prices=...), or use Budget(..., allow_unknown_prices=True)"
    )
    assert (await lenient(request)).content == "x"


async def test_an_answer_of_unbounded_length_is_refused() -> None:
    register_model("vllm/my-model", prices=Prices.per_million(input=1, output=1))
    target = Target(provider="vllm", dialect="openai", model="my-model")
    try:
        with pytest.raises(ConfigError) as caught:
            worst_case(REQUEST.with_(model="vllm/my-model", params={}), target)
        assert worst_case(REQUEST, target) == pytest.approx(10_000e-6, rel=0.01)
    finally:
        unregister_model("vllm/my-model")
    assert str(caught.value) == (
        "a budget needs a bound on the answer: pass max_tokens to vllm/my-model"
    )


@given(st.text(max_size=400), st.integers(1, 5))
def test_a_prompt_never_has_more_tokens_than_were_reserved(text: str, messages: int) -> None:
    request = REQUEST.with_(messages=(Message.user(text),) * messages)
    true = messages * (count_tokens(text, model="gpt-4o") + 8)
    assert true <= most_input(request, ModelProfile(name="m"))


def test_the_length_of_all_answers_is_bounded() -> None:
    profile = ModelProfile(name="m", max_output_tokens=1000)
    bounds = [
        most_output(REQUEST.with_(params=params), profile)
        for params in ({}, {"max_tokens": 10}, {"max_completion_tokens": 20, "n": 3})
    ]
    assert bounds == [1000, 10, 60]


def test_a_picture_is_not_counted_by_its_bytes() -> None:
    picture = image_part("data:image/png;base64," + "A" * 1_000_000)
    request = REQUEST.with_(messages=(Message.user([picture]),))
    assert most_input(request, ModelProfile(name="m")) < 60_000
    small = REQUEST.with_(messages=(Message.user([{**picture, "image_url": {"detail": "low"}}]),))
    assert most_input(small, ModelProfile(name="m")) < 5_000


def test_what_is_fetched_elsewhere_is_bounded_by_the_context_only() -> None:
    request = REQUEST.with_(messages=(Message.user([file_part(file_id="f1")]),))
    assert most_input(request, ModelProfile(name="m", context_window=128_000)) == 128_000


@pytest.mark.parametrize(
    "params", [{"max_tokens": -5}, {"max_tokens": "5"}, {"n": -1, "max_tokens": 5}]
)
def test_a_bound_that_is_none_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is a whole number of at least 1"):
        worst_case(REQUEST.with_(params=params), TARGET)


@pytest.mark.parametrize(
    "given",
    [
        {"tools": ({"type": "web_search_20250305", "name": "web_search"},)},
        {"extra_body": {"tools": [{"google_search": {}}]}},
        {"extra_body": {"web_search_options": {}}},
    ],
)
def test_what_a_tool_of_the_provider_finds_is_bounded_by_the_context_only(given: Any) -> None:
    profile = ModelProfile(name="m", provider="p", context_window=200_000)
    assert most_input(REQUEST.with_(**given), profile) == 200_000
    own = {"type": "function", "function": {"name": "f"}}
    assert most_input(REQUEST.with_(tools=(own,)), profile) < 200


def test_a_bound_in_the_words_of_a_dialect_counts_too() -> None:
    profile = ModelProfile(name="m", provider="p", max_output_tokens=100_000)
    body = {"generationConfig": {"maxOutputTokens": 60_000}, "x": {"maxTokens": {"type": "x"}}}
    assert most_output(REQUEST.with_(extra_body=body), profile) == 60_000


def test_the_larger_of_two_bounds_counts_for_the_server_takes_one() -> None:
    request = REQUEST.with_(params={"max_tokens": 10}, extra_body={"max_completion_tokens": 5000})
    assert most_output(request, ModelProfile(name="m", max_output_tokens=9000)) == 5000


async def test_every_attempt_that_may_be_billed_is_paid_for() -> None:
    whole = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {}}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    replies = [
        Reply.of({"choices": []}),
        Reply.of({"choices": []}),
        Reply.of(whole | {"usage": usage}),
    ]
    budget = Budget(1)
    engine = Flashlite(
        "openai/gpt-4o",
        api_key="k",
        transport=ReplayTransport(replies),
        budget_limit=budget,
        max_tokens=10_000,
        retry=RetryConfig(initial_delay=0),
    )
    response = await engine.complete("Hi")
    assert (response.attempts, response.lost) == (3, 2)
    assert budget.spent == pytest.approx(2 * WORST + 1000 * 2.5e-6 + 100 * 1e-5)
    assert engine.ledger.total.unknown == 2


async def test_a_call_that_waits_for_its_turn_has_nothing_reserved() -> None:
    budget = Budget(1)
    engine = Flashlite(
        "openai/gpt-4o",
        provider=Never(),
        rate_limit=RateLimitConfig(requests_per_minute=1),
        budget_limit=budget,
        max_tokens=10_000,
        timeout=0.05,
        retry=ONCE,
    )
    calls = [engine.complete(str(n)) for n in range(5)]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(failure).__name__ for failure in failures} == {"APITimeoutError"}
    assert (budget.spent, budget.reserved) == (pytest.approx(WORST, rel=0.01), 0.0)


class Never:
    """A provider that is asked and never answers."""

    def target(self, request: CompletionRequest) -> Target:
        return TARGET

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("file", [None, "spend.jsonl"])
def test_a_forked_child_holds_nothing_that_its_parent_runs(
    file: str | None, tmp_path: Path
) -> None:
    path = None if file is None else str(tmp_path / file)
    code = f"""
import asyncio, os
from flashlite import Budget
from flashlite.middleware import Concurrency
budget = Budget(1, file={path!r})
async def hold():
    return await budget.reserve(0.75)
held = asyncio.run(hold())
child = os.fork()
if not child:
    async def spend():
        assert budget.reserved == 0.75
        budget.settle(await budget.reserve({0.25 if file else 0.9}), 0.1)
        assert budget.reserved == 0, budget.reserved
    asyncio.run(asyncio.wait_for(spend(), 5))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
budget.settle(held, 0.5)
print(round(budget.spent, 6), budget.reserved)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    spent = "0.6" if file else "0.5"  # without a file, each has a budget of its own
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{spent} 0.0\n", "")


async def test_a_file_that_cannot_be_used_is_named() -> None:
    with pytest.raises(StoreError, match="the budget's file cannot be written"):
        await Budget(1, file="/proc/nowhere/spend.jsonl").reserve(0.5)


def test_a_full_disk_costs_no_answer_and_loses_no_spend(tmp_path: Path) -> None:
    code = f"""
import asyncio, resource, signal
from flashlite import Budget, StoreError
async def main():
    budget = Budget(1, file={str(tmp_path / "spend.jsonl")!r})
    reservation = await budget.reserve(0.25)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    budget.settle(reservation, 0.01)
    assert (budget.spent, budget.reserved) == (0.01, 0.0), (budget.spent, budget.reserved)
    try:
        await budget.reserve(0.25)
    except StoreError as error:
        print(error)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.partition(":")[0]) == (
        0,
        "the budget's file cannot be written, nothing was sent",
    ), done.stderr
    assert Budget(1, file=tmp_path / "spend.jsonl").spent == 0.25


@pytest.mark.parametrize("who", ["budget", "other"])
def test_a_line_that_a_full_disk_tore_takes_no_other_with_it(tmp_path: Path, who: str) -> None:
    path = tmp_path / "spend.jsonl"
    code = f"""
import asyncio, resource, signal
from flashlite import Budget, StoreError
async def main():
    budget, other = Budget(1, file={str(path)!r}), Budget(1, file={str(path)!r})
    assert other.spent == 0
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, -1))
    try:
        await budget.reserve(0.25)
    except StoreError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        await {who}.reserve(0.5)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert Budget(1, file=path).spent == 0.5


def test_a_budget_is_a_number_of_dollars() -> None:
    with pytest.raises(ConfigError) as caught:
        Budget("5")  # type: ignore[arg-type]
    assert str(caught.value) == "a budget is a number of dollars; got '5'"


SPENDER = """
import asyncio, os, signal, sys
from flashlite import Budget
async def main():
    budget = Budget(10, file=sys.argv[1])
    budget.settle(await budget.reserve(2), 1.5)
    await budget.reserve(3)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_a_killed_process_does_not_forget_what_it_spent(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "spend.jsonl"
    killed = [sys.executable, "-c", SPENDER, str(file)]
    await asyncio.to_thread(subprocess.run, killed, check=False)
    budget = Budget(10, file=file)
    assert budget.spent == 4.5  # 1.50 spent, and 3.00 that may have been
    with pytest.raises(BudgetExceededError) as caught:
        await budget.reserve(6)
    assert str(caught.value) == (
        "$1.50 of the budget of $10.00 are spent, $3.00 are held for calls of other processes (1), "
        "which run or were killed and may be billed, and this call may cost up to $6.00; a smaller "
        "max_tokens lowers that"
    )
    budget.settle(await budget.reserve(5.5), 0.5)
    assert (budget.spent, Budget(10, file=file).spent) == (5.0, 5.0)


async def test_a_torn_line_costs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "spend.jsonl"
    budget = Budget(10, file=file)
    budget.settle(await budget.reserve(2), 1)
    with file.open("ab") as lines:
        lines.write(b'{"id": "x", "reser\n')
    assert Budget(10, file=file).spent == 1.0


CROWD = """
import asyncio, random, sys
from flashlite import Budget, BudgetExceededError
async def main():
    budget, chance, paid = Budget(1, file=sys.argv[1]), random.Random(sys.argv[2]), 0
    async def call():
        nonlocal paid
        try:
            reservation = await budget.reserve(0.05)
        except BudgetExceededError:
            return
        await asyncio.sleep(0)
        cost = chance.randrange(50_000) / 1_000_000
        paid += cost
        budget.settle(reservation, cost)
    for _ in range(40):
        await asyncio.gather(*(call() for _ in range(5)))
    print(paid)
asyncio.run(main())
"""


def test_processes_that_share_a_file_never_spend_more_together(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CROWD, str(tmp_path / "spend.jsonl")]
    crowd = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True)
        for seed in range(3)
    ]
    paid = sum(float(child.communicate()[0]) for child in crowd)
    assert 0.8 < paid <= 1
    assert Budget(1, file=tmp_path / "spend.jsonl").spent == pytest.approx(paid)


@settings(max_examples=1000)
@given(st.integers(0, 2**32))
def test_fifty_calls_of_unknown_length_never_cost_more_than_the_budget(seed: int) -> None:
    chance, paid, sent = random.Random(seed), 0.0, 0

    async def provider(request: CompletionRequest) -> CompletionResponse:
        nonlocal paid, sent
        sent += 1
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        usage = Usage(input_tokens=chance.randrange(9), output_tokens=chance.randrange(16_384))
        usage = priced(usage, "openai/gpt-4o")
        paid += usage.total_cost or 0.0
        return CompletionResponse.of("x", usage=usage)

    async def main() -> None:
        budget = Budget(0.5)
        handler = stack([WithinBudget(budget, target=lambda _: TARGET)], provider)
        calls = [handler(REQUEST.with_(params={})) for _ in range(50)]
        came = await asyncio.gather(*calls, return_exceptions=True)
        answers = [answer for answer in came if isinstance(answer, CompletionResponse)]
        refused = [error for error in came if isinstance(error, BudgetExceededError)]
        assert (len(answers), len(answers) + len(refused)) == (sent, 50)
        assert paid <= 0.5
        assert (budget.spent, budget.reserved) == (pytest.approx(paid), 0.0)

    asyncio.run(main())
