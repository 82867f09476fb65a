"""A budget that processes share, on a real Redis: never passed, whatever dies."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
from typing import Any

import pytest

from flashlite import Budget, BudgetExceededError, ConfigError, RedisPool
from flashlite.errors import StoreError

from .servers import RedisProcess


def budget(url: str, limit: float, *, name: str = "", **pool: Any) -> Budget:
    return Budget(limit, pool=RedisPool(url, name=name or secrets.token_hex(4), **pool))


async def test_two_holders_share_one_budget(redis_url: str) -> None:
    name = secrets.token_hex(4)
    mine, yours = budget(redis_url, 1.0, name=name), budget(redis_url, 1.0, name=name)
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


async def test_a_call_waits_while_another_process_may_give_back(redis_url: str) -> None:
    name = secrets.token_hex(4)
    mine, yours = budget(redis_url, 1.0, name=name), budget(redis_url, 1.0, name=name)
    reserved = await mine.reserve(0.9)
    waiting = asyncio.ensure_future(yours.reserve(0.5))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    mine.settle(reserved, 0.2)
    yours.settle(await asyncio.wait_for(waiting, 2), 0.5)
    assert mine.spent == 0.2
    await yours.aflush()
    await mine.aflush()


async def test_a_caller_who_is_cancelled_gives_back(redis_url: str) -> None:
    purse = budget(redis_url, 1.0)
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


def test_what_is_settled_last_is_told_before_the_loop_ends(redis_url: str) -> None:
    name = secrets.token_hex(4)

    async def spend() -> None:
        purse = budget(redis_url, 1.0, name=name)
        purse.settle(await purse.reserve(0.5), 0.25)

    async def look() -> float:
        purse = budget(redis_url, 1.0, name=name)
        purse.settle(await purse.reserve(0.1), 0.0)
        await purse.aflush()
        return purse.spent

    asyncio.run(spend())
    assert asyncio.run(look()) == 0.25


async def test_when_redis_forgets_the_processes_remember(redis: RedisProcess) -> None:
    name = secrets.token_hex(4)
    mine, yours = budget(redis.url, 1.0, name=name), budget(redis.url, 1.0, name=name)
    mine.settle(await mine.reserve(0.2), 0.2)
    held = await mine.reserve(0.1)
    yours.settle(await yours.reserve(0.3), 0.3)
    redis.kill()
    mine.settle(held, 0.05)
    redis.start()
    last = await asyncio.wait_for(yours.reserve(0.45), 20)
    with pytest.raises(BudgetExceededError):
        await mine.reserve(0.01 + 0.45)
    yours.settle(last, 0.45)
    await yours.aflush()
    with pytest.raises(BudgetExceededError):
        await mine.reserve(0.01)
    assert mine.spent == pytest.approx(1.0)
    await mine.aflush()


async def test_a_budget_never_fails_open(redis: RedisProcess) -> None:
    purse = budget(redis.url, 1.0, fail_open=True, patience=0.3)
    redis.kill()
    with pytest.raises(StoreError):
        await purse.reserve(0.1)
    await purse.aflush()


def test_a_budget_is_in_a_file_or_in_a_pool() -> None:
    with pytest.raises(ConfigError, match="pass one of them"):
        Budget(1.0, file="x", pool=RedisPool("redis://127.0.0.1"))


def test_a_budget_that_redis_cannot_count_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"at most \$9,007,199"):
        Budget(1e8, pool=RedisPool("redis://127.0.0.1"))


async def test_a_large_budget_is_counted_to_the_last_millionth(redis_url: str) -> None:
    purse = budget(redis_url, 9_000_000.0)
    for cost in (8_999_999.0, 0.999_998):
        purse.settle(await purse.reserve(cost), None)
    with pytest.raises(BudgetExceededError):
        await purse.reserve(0.000_003)
    purse.settle(await purse.reserve(0.000_001), None)
    await purse.aflush()
    assert purse.spent == pytest.approx(8_999_999.999_999, abs=1e-8)


CHILD = """
import asyncio, json, random, sys
from flashlite import Budget, BudgetExceededError, RedisPool

async def main():
    budget = Budget(1.0, pool=RedisPool(sys.argv[1], name=sys.argv[2]))
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


def child(url: str, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, url, name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_processes_spend_a_budget_to_the_end_and_no_further(redis_url: str) -> None:
    name = secrets.token_hex(4)
    children = [child(redis_url, name) for _ in range(4)]
    spent = [json.loads(each.communicate(timeout=90)[0].split()[-1]) for each in children]
    assert 0.98 < sum(spent) <= 1.0 + 1e-9


def test_what_a_killed_process_had_reserved_counts_as_spent_after_a_while(redis_url: str) -> None:
    name = secrets.token_hex(4)
    first = child(redis_url, name)
    assert first.stdout is not None
    first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = child(redis_url, name)
    lines = second.communicate(timeout=90)[0].split()
    assert float(lines[-1]) <= 1.0 - 0.02 + 0.02


def test_the_lines_of_the_dead_are_written_off(redis: RedisProcess) -> None:
    """The half minute is not waited for: the holder is made older in Redis."""
    name = secrets.token_hex(4)

    async def scene() -> tuple[float, float]:
        dead, living = budget(redis.url, 1.0, name=name), budget(redis.url, 1.0, name=name)
        held = await dead.reserve(0.4)
        async with dead._purse._pool._server.client() as client:  # type: ignore[union-attr]
            place = f"flashlite:{{{name}:budget}}:more"
            [holder] = await client.zrange(place, 0, -1)
            await client.zadd(place, {holder: 1.0})
        reserved = await living.reserve(0.1)
        written_off = living.spent
        dead.settle(held, 0.3)  # it was not dead after all
        await dead.aflush()
        living.settle(reserved, 0.1)
        await living.aflush()
        return written_off, living.spent

    assert asyncio.run(scene()) == (0.4, 0.4)
