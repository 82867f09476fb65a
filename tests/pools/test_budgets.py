"""A budget that processes share: never passed, whatever dies."""

from __future__ import annotations

import asyncio
import gc
import json
import secrets
import signal
import subprocess
import sys
from typing import Any

import pytest

from flashlite import Budget, BudgetExceededError, ConfigError
from flashlite.errors import StoreError

from .places import Place


def budget(place: Place, limit: float, *, name: str = "", **options: Any) -> Budget:
    return Budget(limit, pool=place.pool(name or secrets.token_hex(4), **options))


async def test_two_holders_share_one_budget(place: Place) -> None:
    name = secrets.token_hex(4)
    mine, yours = budget(place, 1.0, name=name), budget(place, 1.0, name=name)
    reserved = await mine.reserve(0.4)
    mine.settle(reserved, 0.3)
    reserved = await yours.reserve(0.7)
    assert (yours.spent, yours.reserved) == (0.3, 0.7)
    yours.settle(reserved, None)
    yours.settle(reserved, None)
    await yours.aflush()
    with pytest.raises(BudgetExceededError) as caught:
        await mine.reserve(0.01)
    assert (caught.value.limit, caught.value.spent, caught.value.needed) == (1.0, 1.0, 0.01)
    await mine.aflush()


async def test_a_call_waits_while_another_process_may_give_back(place: Place) -> None:
    name = secrets.token_hex(4)
    mine, yours = budget(place, 1.0, name=name), budget(place, 1.0, name=name)
    reserved = await mine.reserve(0.9)
    waiting = asyncio.ensure_future(yours.reserve(0.5))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    mine.settle(reserved, 0.2)
    yours.settle(await asyncio.wait_for(waiting, 2), 0.5)
    assert mine.spent == 0.2
    await yours.aflush()
    await mine.aflush()


async def test_a_caller_who_is_cancelled_gives_back(place: Place) -> None:
    purse = budget(place, 1.0)
    for _ in range(20):
        asking = [asyncio.ensure_future(purse.reserve(0.3)) for _ in range(6)]
        await asyncio.sleep(secrets.randbelow(4) / 1000)
        for each in asking:
            each.cancel()
        for each in await asyncio.gather(*asking, return_exceptions=True):
            if not isinstance(each, BaseException):
                purse.settle(each, 0.0)
    purse.settle(await asyncio.wait_for(purse.reserve(1.0), 3), 1.0)
    await purse.aflush()
    assert purse.spent == 1.0


async def test_whoever_comes_during_an_exchange_is_asked_for_at_once(place: Place) -> None:
    purse = budget(place, 1.0)
    async with asyncio.timeout(4):  # less than a heartbeat
        first = asyncio.ensure_future(purse.reserve(0.1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.gather(first, purse.reserve(0.1), *(purse.reserve(0.001) for _ in range(200)))
    assert purse.reserved == pytest.approx(0.4)


async def test_what_is_settled_is_told_while_other_calls_run(place: Place) -> None:
    purse = budget(place, 1.0)
    await purse.reserve(0.5)
    for _ in range(5):
        purse.settle(await purse.reserve(0.1), 0.1)
        for _ in range(4):  # until it is being told
            await asyncio.sleep(0)
        await asyncio.wait_for(purse.aflush(), 3)
    assert (purse.spent, purse.reserved) == (0.5, 0.5)


def test_calls_that_end_with_their_loop_give_back(place: Place) -> None:
    name = secrets.token_hex(4)

    async def call(purse: Budget) -> None:
        held = await purse.reserve(0.3)
        try:
            await asyncio.sleep(60)
        finally:
            purse.settle(held, 0.0)

    async def run() -> None:
        purse = budget(place, 1.0, name=name)
        calls = [asyncio.create_task(call(purse)) for _ in range(3)]
        purse.settle(await purse.reserve(0.1), 0.0)  # behind those three
        assert not any(each.done() for each in calls)

    async def spend_all() -> None:
        purse = budget(place, 1.0, name=name)
        purse.settle(await asyncio.wait_for(purse.reserve(1.0), 3), 1.0)
        await purse.aflush()

    asyncio.run(run())
    asyncio.run(spend_all())


def test_what_is_settled_when_the_loop_has_nearly_ended_begins_nothing(place: Place) -> None:
    """A task that nobody waits for would be lost with the loop, and Python would warn."""

    async def call(purse: Budget) -> None:
        held = await purse.reserve(0.3)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            purse.settle(held, 0.0)

    async def run() -> None:
        purse = budget(place, 1.0)
        calling = asyncio.create_task(call(purse))
        purse.settle(await purse.reserve(0.1), 0.0)
        assert not calling.done()

    asyncio.run(run())
    gc.collect()


def test_what_is_settled_last_is_told_before_the_loop_ends(place: Place) -> None:
    name = secrets.token_hex(4)

    async def spend() -> None:
        purse = budget(place, 1.0, name=name)
        purse.settle(await purse.reserve(0.5), 0.25)

    async def look() -> float:
        purse = budget(place, 1.0, name=name)
        purse.settle(await purse.reserve(0.1), 0.0)
        await purse.aflush()
        return purse.spent

    asyncio.run(spend())
    assert asyncio.run(look()) == 0.25


async def test_when_the_place_forgets_the_processes_remember(own_place: Place) -> None:
    name = secrets.token_hex(4)
    mine, yours = budget(own_place, 1.0, name=name), budget(own_place, 1.0, name=name)
    mine.settle(await mine.reserve(0.2), 0.2)
    held = await mine.reserve(0.1)
    yours.settle(await yours.reserve(0.3), 0.3)
    own_place.go_down()
    mine.settle(held, 0.05)
    own_place.come_back()
    waiting = asyncio.ensure_future(yours.reserve(0.45))
    await asyncio.sleep(own_place.rest)
    assert not waiting.done()  # others may have something to say
    await own_place.pass_time(name, "purse", 7)
    last = await asyncio.wait_for(waiting, 20)
    with pytest.raises(BudgetExceededError):
        await mine.reserve(0.01 + 0.45)
    yours.settle(last, 0.45)
    await yours.aflush()
    with pytest.raises(BudgetExceededError):
        await mine.reserve(0.01)
    assert mine.spent == pytest.approx(1.0)
    await mine.aflush()


@pytest.mark.services  # it takes a heartbeat, of five seconds
async def test_whoever_has_no_call_running_remembers_too(own_place: Place) -> None:
    name = secrets.token_hex(4)
    idle, busy = budget(own_place, 1.0, name=name), budget(own_place, 1.0, name=name)
    busy.settle(await busy.reserve(0.01), 0.01)
    await busy.aflush()
    idle.settle(await idle.reserve(0.6), 0.6)
    await idle.aflush()
    own_place.go_down()
    own_place.come_back()
    with pytest.raises(BudgetExceededError):
        await asyncio.wait_for(busy.reserve(0.5), 20)


async def test_a_budget_never_fails_open(own_place: Place) -> None:
    purse = budget(own_place, 1.0, fail_open=True, patience=0.1)
    own_place.go_down()
    with pytest.raises(StoreError):
        await purse.reserve(0.1)
    await purse.aflush()


def test_a_budget_is_in_a_file_or_in_a_pool() -> None:
    with pytest.raises(ConfigError, match="pass one of them"):
        Budget(1.0, file="x", pool="redis://127.0.0.1")


def test_a_budget_that_a_pool_cannot_count_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"at most \$9,007,199"):
        Budget(1e8, pool="redis://127.0.0.1")


async def test_a_large_budget_is_counted_to_the_last_millionth(place: Place) -> None:
    purse = budget(place, 9_000_000.0)
    for cost in (8_999_999.0, 0.999_998):
        purse.settle(await purse.reserve(cost), None)
    with pytest.raises(BudgetExceededError):
        await purse.reserve(0.000_003)
    purse.settle(await purse.reserve(0.000_001), None)
    await purse.aflush()
    assert purse.spent == pytest.approx(8_999_999.999_999, abs=1e-8)


CHILD = """
import asyncio, json, random, sys
from flashlite import Budget, BudgetExceededError
from flashlite.middleware import open_pool

async def main():
    budget = Budget(1.0, pool=open_pool(sys.argv[1], name=sys.argv[2]))
    spent = []

    async def work():
        while True:
            try:
                held = await budget.reserve(0.02)
            except BudgetExceededError:
                return
            print("sent", flush=True)
            await asyncio.sleep(random.random() / 50)
            cost = random.choice([0.0, 0.001, 0.02])
            spent.append(cost)
            budget.settle(held, cost)

    await asyncio.gather(*(work() for _ in range(8)))
    await budget.aflush()
    print(json.dumps(sum(spent)), flush=True)

asyncio.run(main())
"""


def child(place: Place, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, place.address, name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_processes_spend_a_budget_to_the_end_and_no_further(place: Place) -> None:
    name = secrets.token_hex(4)
    children = [child(place, name) for _ in range(4)]
    spent = [json.loads(each.communicate(timeout=90)[0].split()[-1]) for each in children]
    assert 0.98 < sum(spent) <= 1.0 + 1e-9


@pytest.mark.services  # it takes half a minute
def test_what_a_killed_process_had_reserved_counts_as_spent_after_a_while(place: Place) -> None:
    name = secrets.token_hex(4)
    first = child(place, name)
    assert first.stdout is not None
    first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = child(place, name)
    lines = second.communicate(timeout=90)[0].split()
    assert float(lines[-1]) <= 1.0 - 0.02 + 0.02


async def test_the_lines_of_the_dead_are_written_off(place: Place) -> None:
    name = secrets.token_hex(4)
    dead, living = budget(place, 1.0, name=name), budget(place, 1.0, name=name)
    held = await dead.reserve(0.4)
    await place.pass_time(name, "purse", 30)
    reserved = await living.reserve(0.1)
    assert living.spent == 0.4
    dead.settle(held, 0.3)  # it was not dead after all
    await dead.aflush()
    living.settle(reserved, 0.1)
    await living.aflush()
    assert living.spent == 0.4
