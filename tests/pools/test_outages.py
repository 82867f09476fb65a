"""The place of a pool is away for a while, under several processes at work."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest

from flashlite import Budget, RedisPool, StoreError
from flashlite.middleware.pool import SharedMinute, SharedPurse, look_at
from flashlite.middleware.pool.shared_minute import MinuteDesk
from flashlite.middleware.pool.shared_purse import PurseDesk
from flashlite.middleware.purse import Reservation
from flashlite.middleware.windows import Amount

from ..services.servers import RedisProcess
from .places import Place

OUTAGE = float(os.environ.get("FLASHLITE_TEST_OUTAGE", "3"))  # seconds
CALLS, PROCESSES = 80, 4
LIMIT = CALLS * PROCESSES
INF = float("inf")

CHILD = f"""
import asyncio, json, logging, sys, time
from flashlite import Budget
from flashlite.middleware import open_pool
from flashlite.middleware.pool import SharedMinute
from flashlite.middleware.windows import Amount

pool = open_pool(sys.argv[1], name=sys.argv[2])
room = SharedMinute(pool, "m", limits=Amount({LIMIT}, float("inf"), float("inf"), {LIMIT * 100}))
budget = Budget(100, pool=pool)
said, done, left = [], [], list(range({CALLS}))
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage().partition(" until")[0])
logging.getLogger("flashlite.pool").addHandler(handler)

async def work():
    while left:
        left.pop()
        grant = await room.line.enter(Amount(1, tokens=100))
        held = await budget.reserve(0.01)
        await asyncio.sleep(0.2)
        budget.settle(held, 0.005)
        room.correct(grant, Amount(1, tokens=60), time.monotonic())
        done.append(time.time())

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(work() for _ in range(8)))
    await room.line.aflush()
    await budget.aflush()
    print(json.dumps([done, said]), flush=True)

asyncio.run(main())
"""


@pytest.mark.services  # it takes a quarter of a minute
def test_no_call_is_lost_and_none_is_too_many(own_place: Place, name: str) -> None:
    children = [_child(own_place, name) for _ in range(PROCESSES)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
    time.sleep(1)
    own_place.go_down()
    down = time.time()
    time.sleep(OUTAGE)
    own_place.come_back()
    back = time.time()
    found = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    done = sorted(moment for moments, _ in found for moment in moments)
    assert len(done) == LIMIT
    assert done[0] < down
    assert [moment for moment in done if down + 1 < moment < back] == []
    assert [said for _, said in found] == [[f"pool {name}: calls wait"] * 2] * PROCESSES
    assert asyncio.run(_afterwards(own_place, name)) == (True, pytest.approx(LIMIT * 0.005))


@pytest.mark.services
async def test_a_redis_that_comes_back_as_it_was_a_while_ago_is_told_the_rest(
    redis: RedisProcess, name: str
) -> None:
    pool = RedisPool(redis.url, name=name)
    desk = MinuteDesk(SharedMinute(pool, "m", limits=Amount(10, INF, INF, INF)), lambda: None)
    purse = PurseDesk(SharedPurse(10**12, pool), lambda: None)
    await desk.exchange([Amount(1)] * 4, waiting=4)
    await purse.exchange([10**11], waiting=1)
    async with pool._server.client() as client:
        await client.save()
    await desk.exchange([Amount(1)] * 4, waiting=4)
    [held], _ = await purse.exchange([10**11], waiting=1)
    assert isinstance(held, Reservation)
    purse.settle(held, 10**11)
    await purse.exchange([], waiting=0)
    redis.kill()
    redis.start()
    for one in (desk, purse):
        with suppress(StoreError):  # its connection has broken, and Redis gets a rest of a second
            await one.exchange([], waiting=0)
    await asyncio.sleep(1.1)
    await desk.exchange([], waiting=0)
    await purse.exchange([], waiting=0)
    seen = await look_at(pool)
    assert seen.purse is not None
    assert seen.minutes[0].used.requests == 8
    assert (seen.purse.spent, seen.purse.reserved) == (0.1, 0.1)
    await pool.aclose()


def _child(place: Place, name: str) -> subprocess.Popen[str]:
    command: list[Any] = [sys.executable, "-c", CHILD, place.address, name]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


async def _afterwards(place: Place, name: str) -> tuple[bool, float]:
    """Return whether the minute is full, and what was spent."""
    pool = place.pool(name)
    room = SharedMinute(pool, "m", limits=Amount(LIMIT, INF, INF, INF))
    is_full = False
    try:
        async with asyncio.timeout(1):
            await room.line.enter(Amount(1))
    except TimeoutError:
        is_full = True
    budget = Budget(100, pool=pool)
    budget.settle(await budget.reserve(1.0), 0.0)
    await budget.aflush()
    return is_full, budget.spent
