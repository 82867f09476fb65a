"""Limits that processes share: exact, fair, and safe when things die."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flashlite import Flashlite, RateLimit, RateLimitConfig, RedisPool
from flashlite.errors import ConfigError, StoreError
from flashlite.middleware.pool import SharedMinute, look_at, open_pool
from flashlite.middleware.pool.sight import MinuteSight
from flashlite.middleware.windows import Amount, Grant
from flashlite.testing import ScriptedProvider

from ..services.servers import RedisProcess
from .places import Place, RedisPlace, let_pass

INF = float("inf")


def minute(
    place: Place, *, requests: float = INF, tokens: float = INF, **options: Any
) -> SharedMinute:
    """Return a new minute of a new pool, or of the one that is named."""
    options.setdefault("name", secrets.token_hex(4))
    limits = Amount(requests, INF, INF, tokens)
    return SharedMinute(place.pool(**options), "m", limits=limits)


async def let_in(room: SharedMinute, amounts: Sequence[Amount], *, exactly: int) -> list[Grant]:
    """Ask for several at once, and see that so many are let in, and no more a moment later."""
    asking = [asyncio.ensure_future(room.line.enter(amount)) for amount in amounts]
    done = await see_in(asking, exactly=exactly)
    for each in asking:
        each.cancel()
    await asyncio.sleep(0)
    return done


async def see_in(asking: Sequence[asyncio.Future[Grant]], *, exactly: int) -> list[Grant]:
    """Wait until so many are in, and see that no more are a moment later."""
    async with asyncio.timeout(20):
        while sum(each.done() for each in asking) < exactly:
            left = [each for each in asking if not each.done()]
            await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
    done, _ = await asyncio.wait(asking, timeout=0.3)
    assert len(done) == exactly
    return [each.result() for each in done]


ONE = Amount(requests=1)


async def test_no_more_are_let_in_than_the_limit(place: Place) -> None:
    room = minute(place, requests=250)
    await let_in(room, [ONE] * 300, exactly=250)
    other = minute(place, requests=250, name=room._pool.name)
    await let_in(other, [ONE], exactly=0)
    await room.line.aflush()
    await other.line.aflush()


async def test_what_is_given_back_lets_others_in(place: Place) -> None:
    room = minute(place, tokens=1000)
    [grant] = await let_in(room, [Amount(1, tokens=900)], exactly=1)
    waiting = asyncio.ensure_future(room.line.enter(Amount(1, tokens=500)))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    room.correct(grant, Amount(1, tokens=400), time.monotonic())
    await asyncio.wait_for(waiting, 1)
    room.undo(waiting.result())
    await let_in(room, [Amount(1, tokens=600)], exactly=1)
    await room.line.aflush()


async def test_what_was_used_beyond_the_reservation_counts_too(place: Place) -> None:
    room = minute(place, tokens=1000)
    [grant] = await let_in(room, [Amount(1, tokens=10)], exactly=1)
    room.correct(grant, Amount(1, tokens=999), time.monotonic())
    await let_in(room, [Amount(1, tokens=10)], exactly=0)
    await room.line.aflush()


async def test_a_request_larger_than_the_limit_goes_alone(place: Place) -> None:
    room = minute(place, tokens=1000)
    await let_in(room, [Amount(1, tokens=5000), ONE], exactly=1)
    await room.line.aflush()


async def test_a_minute_ends(place: Place) -> None:
    room = minute(place, requests=3)
    await let_in(room, [ONE] * 5, exactly=3)
    await let_pass(place, room, 60)  # it is one of 61 seconds, and of the tenth that they end in
    await let_in(room, [ONE], exactly=0)
    await let_pass(place, room, 1.2)
    await let_in(room, [ONE], exactly=1)
    await room.line.aflush()


async def test_who_is_cancelled_leaves_no_trace(place: Place) -> None:
    room = minute(place, requests=100)
    for _ in range(20):
        asking = [asyncio.ensure_future(room.line.enter(ONE)) for _ in range(50)]
        await asyncio.sleep(secrets.randbelow(3) / 1000)
        for each in asking:
            each.cancel()
        for each in await asyncio.gather(*asking, return_exceptions=True):
            if isinstance(each, Grant):
                room.undo(each)
    await let_in(room, [ONE] * 100, exactly=100)
    await room.line.aflush()


async def test_priority_decides_within_a_process(place: Place) -> None:
    room = minute(place, requests=1)
    [grant] = await let_in(room, [ONE], exactly=1)
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


async def test_a_pause_holds_the_whole_pool_up(place: Place) -> None:
    room = minute(place)
    other = minute(place, name=room._pool.name)
    await room.line.enter(ONE)
    room.close_until(time.monotonic() + 0.6)
    await asyncio.sleep(0.1)
    await let_in(other, [ONE], exactly=0)
    await other.line.enter(ONE)
    await room.line.aflush()
    await other.line.aflush()


def test_a_pause_is_told_by_whichever_loop_speaks_next(place: Place) -> None:
    room = minute(place)
    asyncio.run(room.line.enter(ONE))  # type: ignore[arg-type]
    room.close_until(time.monotonic() + 30)

    async def ask() -> None:
        await let_in(room, [ONE], exactly=0)
        [seen] = (await look_at(room._pool)).minutes
        assert 20 < seen.closed_for < 30

    asyncio.run(ask())


async def test_three_hundred_are_asked_for_without_a_rest(place: Place) -> None:
    room = minute(place)
    async with asyncio.timeout(1.4):  # less than a heartbeat
        await asyncio.gather(*(room.line.enter(ONE) for _ in range(300)))
    await room.line.aflush()


def test_one_pool_serves_loops_one_after_another(place: Place) -> None:
    room = minute(place, requests=2)
    asyncio.run(room.line.enter(ONE))  # type: ignore[arg-type]
    asyncio.run(let_in(room, [ONE] * 2, exactly=1))


@pytest.mark.services  # it says something of the machine, too
async def test_three_thousand_pass_in_a_second(place: Place) -> None:
    room = minute(place, requests=1e9, tokens=1e9)

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


# The place is down.


async def test_calls_wait_until_it_is_back_and_nothing_is_forgotten(
    own_place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    room = minute(own_place, requests=100)
    await let_in(room, [ONE] * 60, exactly=60)
    with caplog.at_level(logging.INFO, "flashlite.pool"):
        own_place.go_down()
        asking = [asyncio.ensure_future(room.line.enter(ONE)) for _ in range(80)]
        await see_in(asking, exactly=0)
        own_place.come_back()
        await asyncio.sleep(own_place.rest)
        await let_pass(own_place, room, 2)
        await see_in(asking, exactly=40)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert f"calls wait until {room._pool.place} is back" in caplog.messages[0]
    for each in asking:
        each.cancel()
    await room.line.aflush()


@pytest.mark.services  # it takes a heartbeat
async def test_what_a_process_sent_before_it_fell_silent_is_not_forgotten(
    own_place: Place, name: str
) -> None:
    other = minute(own_place, requests=100, name=name)
    silent = minute(own_place, requests=100, name=name)
    await other.line.enter(ONE)
    await let_in(silent, [ONE] * 60, exactly=60)
    own_place.go_down()
    own_place.come_back()
    await asyncio.sleep(own_place.rest)
    await let_in(other, [ONE] * 60, exactly=39)
    await other.line.aflush()


@pytest.mark.services
async def test_a_server_that_hangs_holds_calls_up_and_lets_no_more_in(redis: RedisProcess) -> None:
    room = minute(RedisPlace(redis.url, redis), requests=100)
    assert isinstance(room._pool, RedisPool)
    room._pool._server._timeout = 0.3
    await let_in(room, [ONE] * 60, exactly=60)
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
    own_place: Place,
) -> None:
    own_place.go_down()
    provider = ScriptedProvider(["never"])
    config = RateLimitConfig(requests_per_minute=10)
    limit = RateLimit(config, pool=own_place.pool("default", patience=0.1))
    async with Flashlite("m/m", provider=provider, rate_limit=limit) as client:
        with pytest.raises(StoreError, match=r"; nothing was sent$"):
            await client.complete("Hi")
    assert provider.requests == []


async def test_a_pool_that_fails_open_goes_on_by_its_own_limits(
    own_place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    room = minute(own_place, requests=10, fail_open=True)
    own_place.go_down()
    with caplog.at_level(logging.WARNING, "flashlite.pool"):
        await let_in(room, [ONE] * 30, exactly=10)
    assert len(caplog.messages) == 1
    assert f"each process goes on alone until {room._pool.place} is back" in caplog.messages[0]
    own_place.come_back()
    await asyncio.sleep(own_place.rest)
    await let_in(room, [ONE] * 30, exactly=10)
    await room.line.aflush()


# Several processes.

CHILD = """
import asyncio, json, sys, time
from flashlite.middleware.pool import SharedMinute, look_at, open_pool
from flashlite.middleware.pool.sight import MinuteSight
from flashlite.middleware.windows import Amount

address, name, requests = sys.argv[1], sys.argv[2], float(sys.argv[3])
inf = float("inf")
room = SharedMinute(open_pool(address, name=name), "m", limits=Amount(requests, inf, inf, inf))
times = []

async def work():
    while True:
        grant = await room.line.enter(Amount(1))
        times.append(time.time())

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    tasks = [asyncio.create_task(work()) for _ in range(50)]
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(times), flush=True)
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""


def child(place: Place, name: str, *, requests: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, place.address, name, str(requests)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def begin(children: Sequence[subprocess.Popen[str]]) -> None:
    """Let processes begin together, when all are there."""
    for each in children:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in children:
        assert each.stdin is not None
        each.stdin.write("\n")


def end(children: Sequence[subprocess.Popen[str]]) -> list[list[float]]:
    """End processes, and return when each of them let somebody in."""
    return [json.loads(each.communicate(timeout=90)[0]) for each in children]


async def until(room: SharedMinute, is_so: Callable[[MinuteSight], bool]) -> None:
    """Look at a pool that has one minute until something is so."""
    async with asyncio.timeout(30):
        for _ in count():
            if is_so((await look_at(room._pool)).minutes[0]):
                return
            await asyncio.sleep(0.05)


def four_wait(seen: MinuteSight) -> bool:
    return sum(one.waiting > 0 for one in seen.members) == 4


def test_four_processes_let_in_as_many_as_one_would(place: Place, name: str) -> None:
    room = minute(place, requests=400, name=name)
    children = [child(place, name, requests=400) for _ in range(4)]

    async def scene() -> None:
        grants = await let_in(room, [ONE] * 400, exactly=400)  # until all are there
        begin(children)
        await until(room, four_wait)
        for grant in grants:
            room.undo(grant)
        await room.line.aflush()
        await until(room, lambda seen: seen.used.requests == 400)

    asyncio.run(scene())
    found = list(map(len, end(children)))
    assert sum(found) == 400
    assert min(found) > 0.15 * 400, found


@pytest.mark.services  # it takes more than a minute
def test_four_processes_share_a_minute_fairly_and_fill_it(place: Place, name: str) -> None:
    limit = 400
    children = [child(place, name, requests=limit) for _ in range(4)]
    begin(children)
    time.sleep(72)
    found = end(children)
    times = sorted(moment for each in found for moment in each)
    in_any_minute = [sum(t <= other < t + 60 for other in times) for t in times[::7]]
    assert max(in_any_minute) == limit
    second = [[moment for moment in each if moment > times[0] + 60] for each in found]
    assert sum(map(len, second)) >= 0.95 * limit
    assert min(map(len, second)) >= 0.2 * limit, list(map(len, second))


def test_a_process_that_is_killed_is_soon_out_of_the_line(place: Place) -> None:
    name = secrets.token_hex(4)
    room = minute(place, requests=10, name=name)

    async def scene() -> None:
        grants = await let_in(room, [ONE] * 10, exactly=10)
        first = child(place, name, requests=10)
        begin([first])
        await until(room, lambda seen: any(one.waiting for one in seen.members))
        first.send_signal(signal.SIGKILL)
        first.communicate()
        room.undo(grants[0])
        waiting = asyncio.ensure_future(room.line.enter(ONE))
        await see_in([waiting], exactly=0)
        await let_pass(place, room, 3)
        await see_in([waiting], exactly=1)
        await room.line.aflush()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "pool", ["pool.sqlite", "sqlit:pool.db", "reids://:secret@host", "http://secret/pool.db", 7]
)
def test_what_is_no_pool_is_refused_and_shows_no_secret(pool: Any) -> None:
    with pytest.raises(ConfigError, match=r"^a pool('s address)? is ") as caught:
        RateLimit(RateLimitConfig(requests_per_minute=1), pool=pool)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["redis://127.0.0.1:port/0", "sqlite:{tmp_path}"])
async def test_what_cannot_work_is_said_to_everybody_who_waits(
    address: str, tmp_path: Path
) -> None:
    (tmp_path / "pool.db").write_text("")
    pool = open_pool(address.format(tmp_path=tmp_path))
    room = SharedMinute(pool, "m", limits=Amount(1, INF, INF, INF))
    found = await asyncio.gather(*(room.line.enter(ONE) for _ in range(3)), return_exceptions=True)
    assert [type(error).__name__ for error in found] == ["ConfigError"] * 3
    await room.line.aflush()
