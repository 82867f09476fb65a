"""What is seen of a pool, wherever it is; and that who looks holds nobody up."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from flashlite import Budget, StoreError
from flashlite.middleware.pool import PoolSight, SharedMinute, look_at
from flashlite.middleware.pool.shared_minute import MinuteDesk
from flashlite.middleware.pool.sight import Member, MinuteSight, PurseSight
from flashlite.middleware.windows import Amount

from .places import Place

INF = float("inf")
LIMITS = Amount(2, INF, INF, 1000)


def who(seen: Member, waiting: int) -> Member:
    """Return this process, of which nobody knows the line before."""
    assert seen.silent_for < 5
    return Member(
        line=seen.line,
        machine=socket.gethostname(),
        process=os.getpid(),
        program=Path(sys.argv[0]).name or "python",
        waiting=waiting,
        silent_for=seen.silent_for,
    )


async def test_a_pool_is_seen_as_it_is(place: Place, name: str) -> None:
    pool = place.pool(name)
    assert await look_at(pool) == PoolSight(name=name, place=pool.place, minutes=(), purse=None)
    minute = SharedMinute(pool, "x", label="openai/gpt-4o", limits=LIMITS)
    await MinuteDesk(minute, lambda: None).exchange([Amount(1, tokens=100)] * 3, waiting=5)
    budget = Budget(5.0, pool=pool)
    budget.settle(await budget.reserve(0.5), 0.25)
    await budget.reserve(0.125)
    await budget.aflush()
    seen = await look_at(pool)
    assert seen.purse is not None
    assert seen == PoolSight(
        name=name,
        place=pool.place,
        minutes=(
            MinuteSight(
                label="openai/gpt-4o",
                limits=LIMITS,
                used=Amount(2, 0, 0, 200),
                closed_for=0.0,
                members=(who(seen.minutes[0].members[0], 3),),
            ),
        ),
        purse=PurseSight(
            limit=5.0, spent=0.25, reserved=0.125, members=(who(seen.purse.members[0], 0),)
        ),
    )
    await pool.aclose()


async def test_what_is_a_minute_old_is_not_seen(place: Place, name: str) -> None:
    pool = place.pool(name)
    minute = SharedMinute(pool, "x", limits=LIMITS)
    await MinuteDesk(minute, lambda: None).exchange([Amount(1, tokens=100)], waiting=1)
    await place.pass_time(name, minute.room, 62)
    [seen] = (await look_at(pool)).minutes
    assert seen.used == Amount(0, 0, 0, 0)
    await pool.aclose()


async def test_whoever_looks_at_a_pool_that_lost_all_hides_no_loss(
    own_place: Place, name: str
) -> None:
    pool = own_place.pool(name)
    desk = MinuteDesk(SharedMinute(pool, "x", limits=LIMITS), lambda: None)
    await desk.exchange([Amount(1, tokens=100)], waiting=1)
    own_place.go_down()
    own_place.come_back()
    watching = own_place.pool(name)
    await look_at(watching)
    await watching.ask("minute:x", {"look": True})
    with suppress(StoreError):  # its connection has broken, and Redis gets a rest of a second
        await desk.exchange([], waiting=0)
    await asyncio.sleep(own_place.rest)
    await desk.exchange([], waiting=0)
    [seen] = (await look_at(watching)).minutes
    assert seen.used == Amount(1, 0, 0, 100)
    await pool.aclose()
    await watching.aclose()
