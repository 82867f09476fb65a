"""Limits that processes share, on a real Redis: exact, fair, and safe when things die."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest

from flashlite import Flashlite, RateLimit, RateLimitConfig, RedisPool
from flashlite.errors import StoreError
from flashlite.middleware.redis_minute import RedisMinute
from flashlite.middleware.windows import Amount, Grant
from flashlite.testing import ScriptedProvider

from .servers import RedisProcess

INF = float("inf")


def minute(url: str, *, requests: float = INF, tokens: float = INF, **pool: Any) -> RedisMinute:
    """Return a new minute of a new pool, or of the one that is named."""
    pool.setdefault("name", secrets.token_hex(4))
    limits = Amount(requests, INF, INF, tokens)
    return RedisMinute(RedisPool(url, **pool), "m", limits=limits)


async def admitted(room: RedisMinute, amounts: Sequence[Amount], *, within: float) -> list[Grant]:
    """Ask for several at once; return what was let in after some seconds."""
    asking = [asyncio.ensure_future(room.line.enter(amount)) for amount in amounts]
    done, waiting = await asyncio.wait(asking, timeout=within)
    for each in waiting:
        each.cancel()
    await asyncio.sleep(0)
    return [each.result() for each in done]


ONE = Amount(requests=1)


async def test_no_more_are_let_in_than_the_limit(redis_url: str) -> None:
    room = minute(redis_url, requests=250)
    assert len(await admitted(room, [ONE] * 300, within=0.5)) == 250
    other = minute(redis_url, requests=250, name=room._pool.name)
    assert await admitted(other, [ONE], within=0.2) == []
    await room.line.aflush()
    await other.line.aflush()


async def test_what_is_given_back_lets_others_in(redis_url: str) -> None:
    room = minute(redis_url, tokens=1000)
    [grant] = await admitted(room, [Amount(1, tokens=900)], within=1)
    waiting = asyncio.ensure_future(room.line.enter(Amount(1, tokens=500)))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    room.correct(grant, Amount(1, tokens=400), time.monotonic())
    await asyncio.wait_for(waiting, 1)
    room.undo(waiting.result())
    assert len(await admitted(room, [Amount(1, tokens=600)], within=1)) == 1
    await room.line.aflush()


async def test_what_was_used_beyond_the_reservation_counts_too(redis_url: str) -> None:
    room = minute(redis_url, tokens=1000)
    [grant] = await admitted(room, [Amount(1, tokens=10)], within=1)
    room.correct(grant, Amount(1, tokens=999), time.monotonic())
    await asyncio.sleep(0.1)
    assert await admitted(room, [Amount(1, tokens=10)], within=0.3) == []
    await room.line.aflush()


async def test_a_request_larger_than_the_limit_goes_alone(redis_url: str) -> None:
    room = minute(redis_url, tokens=1000)
    assert len(await admitted(room, [Amount(1, tokens=5000), ONE], within=0.4)) == 1
    await room.line.aflush()


async def test_a_minute_ends(redis: RedisProcess) -> None:
    """Redis's clock cannot be set, so the buckets are made older instead."""
    room = minute(redis.url, requests=3)
    assert len(await admitted(room, [ONE] * 5, within=0.3)) == 3
    async with room._pool._server.client() as client:
        place = f"flashlite:{{{room._pool.name}:minute:m}}:state"
        [name] = [key for key in await client.hkeys(place) if key.startswith(b"b:")]
        bucket = int(name[2:]) - 607
        await client.hset(place, f"b:{bucket}", await client.hget(place, name))
        await client.hdel(place, name)
        await client.hset(place, "oldest", bucket)
    start = time.monotonic()
    await room.line.enter(ONE)
    assert 0.1 < time.monotonic() - start < 0.7
    await room.line.aflush()


async def test_who_is_cancelled_leaves_no_trace(redis_url: str) -> None:
    room = minute(redis_url, requests=100)
    for _ in range(20):
        asking = [asyncio.ensure_future(room.line.enter(ONE)) for _ in range(50)]
        await asyncio.sleep(secrets.randbelow(3) / 1000)
        for each in asking:
            each.cancel()
        for each in await asyncio.gather(*asking, return_exceptions=True):
            if isinstance(each, Grant):
                room.undo(each)
    assert len(await admitted(room, [ONE] * 100, within=2)) == 100
    await room.line.aflush()


async def test_priority_decides_within_a_process(redis_url: str) -> None:
    room = minute(redis_url, requests=1)
    [grant] = await admitted(room, [ONE], within=1)
    order: list[int] = []

    async def ask(priority: int) -> None:
        mine = await room.line.enter(ONE, priority=priority)
        order.append(priority)
        room.undo(mine)

    asking = [asyncio.ensure_future(ask(priority)) for priority in (2, 0, 1)]
    await asyncio.sleep(0.05)
    room.undo(grant)
    await asyncio.wait_for(asyncio.gather(*asking), 5)
    assert order == [0, 1, 2]
    await room.line.aflush()


async def test_a_pause_holds_the_whole_pool_up(redis_url: str) -> None:
    room = minute(redis_url)
    other = minute(redis_url, name=room._pool.name)
    await room.line.enter(ONE)
    room.close_until(time.monotonic() + 0.6)
    await asyncio.sleep(0.1)
    start = time.monotonic()
    await other.line.enter(ONE)
    assert 0.3 < time.monotonic() - start < 1
    await room.line.aflush()
    await other.line.aflush()


def test_one_pool_serves_loops_one_after_another(redis_url: str) -> None:
    room = minute(redis_url, requests=2)
    asyncio.run(room.line.enter(ONE))  # type: ignore[arg-type]
    assert len(asyncio.run(admitted(room, [ONE] * 2, within=0.3))) == 1


async def test_three_thousand_pass_in_a_second(redis_url: str) -> None:
    room = minute(redis_url, requests=1e9, tokens=1e9)

    async def work() -> None:
        for _ in range(125):
            grant = await room.line.enter(Amount(1, tokens=100))
            room.correct(grant, Amount(1, tokens=50), 0.0)

    rates: list[float] = []
    for _ in range(5):  # others may be using the machine
        start = time.monotonic()
        await asyncio.gather(*(work() for _ in range(64)))
        rates.append(8000 / (time.monotonic() - start))
        if rates[-1] > 3000:
            break
    assert max(rates) > 3000, rates
    await room.line.aflush()


# Redis is down.


async def test_calls_wait_until_redis_is_back_and_nothing_is_forgotten(
    redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    room = minute(redis.url, requests=100)
    assert len(await admitted(room, [ONE] * 60, within=1)) == 60
    with caplog.at_level(logging.INFO, "flashlite.pool"):
        redis.kill()
        asking = [asyncio.ensure_future(room.line.enter(ONE)) for _ in range(80)]
        await asyncio.sleep(1.5)
        assert not any(each.done() for each in asking)
        redis.start()
        done, waiting = await asyncio.wait(asking, timeout=6)
    assert (len(done), len(waiting)) == (40, 40)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "calls wait until Redis is back" in caplog.messages[0]
    for each in waiting:
        each.cancel()
    await room.line.aflush()


async def test_a_server_that_hangs_holds_calls_up_and_lets_no_more_in(redis: RedisProcess) -> None:
    room = minute(redis.url, requests=100)
    room._pool._server._timeout = 0.3
    assert len(await admitted(room, [ONE] * 60, within=1)) == 60
    redis.hang()
    asking = [asyncio.ensure_future(room.line.enter(ONE)) for _ in range(30)]
    await asyncio.sleep(1)
    redis.go_on()
    done, waiting = await asyncio.wait(asking, timeout=4)
    # Redis may count what it was asked for while it hung; it is never too few.
    assert len(done) <= 40
    for each in waiting:
        each.cancel()
    await room.line.aflush()


async def test_after_an_outage_longer_than_its_patience_a_call_fails_unsent(
    redis: RedisProcess,
) -> None:
    redis.kill()
    provider = ScriptedProvider(["never"])
    limit = RateLimit(
        RateLimitConfig(requests_per_minute=10), pool=RedisPool(redis.url, patience=0.5)
    )
    async with Flashlite("m/m", provider=provider, rate_limit=limit) as client:
        with pytest.raises(StoreError, match=r"cannot be reached: .*; nothing was sent$"):
            await client.complete("Hi")
    assert provider.requests == []


async def test_a_pool_that_fails_open_goes_on_by_its_own_limits(
    redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    room = minute(redis.url, requests=10, fail_open=True)
    redis.kill()
    with caplog.at_level(logging.WARNING, "flashlite.pool"):
        assert len(await admitted(room, [ONE] * 30, within=0.5)) == 10
    assert len(caplog.messages) == 1
    assert "each process goes on alone until Redis is back" in caplog.messages[0]
    redis.start()
    await asyncio.sleep(1.5)
    assert len(await admitted(room, [ONE] * 30, within=0.5)) == 10
    await room.line.aflush()


# Several processes.

CHILD = """
import asyncio, json, sys, time
from flashlite.middleware.redis_minute import RedisMinute
from flashlite.middleware import RedisPool
from flashlite.middleware.windows import Amount

url, name, requests, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
inf = float("inf")
room = RedisMinute(RedisPool(url, name=name), "m", limits=Amount(requests, inf, inf, inf))
times = []

async def work():
    while True:
        grant = await room.line.enter(Amount(1))
        times.append(time.time())

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    tasks = [asyncio.create_task(work()) for _ in range(50)]
    await asyncio.sleep(seconds)
    print(json.dumps(times), flush=True)
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""


def child(url: str, name: str, *, requests: float, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, url, name, str(requests), str(seconds)]
    started = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def test_four_processes_share_a_minute_fairly_and_fill_it(redis_url: str) -> None:
    name, limit = secrets.token_hex(4), 400
    children = [child(redis_url, name, requests=limit, seconds=72) for _ in range(4)]
    for each in children:
        assert each.stdin is not None
        each.stdin.write("\n")
    found = [json.loads(each.communicate(timeout=100)[0]) for each in children]
    times = sorted(moment for each in found for moment in each)
    in_any_minute = [sum(t <= other < t + 60 for other in times) for t in times[::7]]
    assert max(in_any_minute) == limit
    second = [[moment for moment in each if moment > times[0] + 60] for each in found]
    assert sum(map(len, second)) >= 0.95 * limit
    assert min(map(len, second)) >= 0.2 * limit, list(map(len, second))


def test_a_process_that_is_killed_is_soon_out_of_the_line(redis_url: str) -> None:
    name = secrets.token_hex(4)
    room = minute(redis_url, requests=10, name=name)

    async def scene() -> float:
        grants = await admitted(room, [ONE] * 10, within=1)
        first = child(redis_url, name, requests=10, seconds=60)
        assert first.stdin is not None
        first.stdin.write("\n")
        await asyncio.sleep(0.5)  # it is the first in the line
        first.send_signal(signal.SIGKILL)
        first.communicate()
        start = time.monotonic()
        room.undo(grants[0])
        await asyncio.wait_for(room.line.enter(ONE), 10)
        await room.line.aflush()
        return time.monotonic() - start

    assert asyncio.run(scene()) < 6


async def test_what_cannot_work_is_said_to_everybody_who_waits() -> None:
    room = minute("redis://127.0.0.1:port/0", requests=1)
    found = await asyncio.gather(*(room.line.enter(ONE) for _ in range(3)), return_exceptions=True)
    assert [type(error).__name__ for error in found] == ["ConfigError"] * 3
    await room.line.aflush()
