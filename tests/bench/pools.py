"""Cost of a shared limit, compared with token-throttle: `python -m tests.bench.pools`.

Both take a request and 100 tokens from one Redis and give 50 tokens back, in turns, with 1, 8 and
64 workers at once; the ratio compares each at its best number of workers. token-throttle needs
Python 3.12; without it, flashlite is measured alone. A separate Redis is started on a free port.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from flashlite.middleware import Pool, RedisPool, SQLitePool
from flashlite.middleware.pool import SharedMinute
from flashlite.middleware.windows import Amount

from ..services.servers import RedisProcess, program

WORKERS = (1, 8, 64)
LIMIT = 10**9
LEAST_RATE, LEAST_RATIO = 3_000, 10

Turn = Callable[[], Awaitable[None]]
Rates = dict[tuple[str, int], list[float]]  # by contender and number of workers


def main() -> int:
    """Measure and print; return the exit code, which says whether the targets are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pools", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everybody has a turn (5)")
    rounds = parser.parse_args().rounds
    if program("redis-server") is None:
        Console().print("redis-server is not installed: nothing to measure")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        server = RedisProcess(Path(folder))
        server.start()
        try:
            rates = asyncio.run(_measure(server.url, Path(folder), rounds=rounds))
        finally:
            server.stop()
    return _report(rates)


async def _measure(url: str, folder: Path, *, rounds: int) -> Rates:
    """Return acquisitions with settlement per second, by contender and number of workers."""
    pools = {
        "flashlite, Redis": RedisPool(url, name=secrets.token_hex(4)),
        "flashlite, SQLite": SQLitePool(folder / "pool.db"),
    }
    calls = dict.fromkeys(pools, 6400)
    turns = {name: _our_turn(pool) for name, pool in pools.items()}
    with suppress(ImportError):
        turns["token-throttle, Redis"] = _their_turn(url)
        calls["token-throttle, Redis"] = 192
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for (name, turn), workers in product(turns.items(), WORKERS):
            count = calls[name] // max(workers, 8)
            start = time.perf_counter()
            await asyncio.gather(*(_work(turn, count) for _ in range(workers)))
            rate = workers * count / (time.perf_counter() - start)
            rates.setdefault((name, workers), []).append(rate)
    return rates


async def _work(turn: Turn, calls: int) -> None:
    for _ in range(calls):
        await turn()


def _our_turn(pool: Pool) -> Turn:
    inf = float("inf")
    minute = SharedMinute(pool, "m", limits=Amount(LIMIT, inf, inf, LIMIT))

    async def turn() -> None:
        grant = await minute.line.enter(Amount(1, tokens=100))
        minute.correct(grant, Amount(1, tokens=50), 0.0)

    return turn


def _their_turn(url: str) -> Turn:
    import redis.asyncio
    from token_throttle import (  # type: ignore[import-not-found]
        PerModelConfig,
        Quota,
        RateLimiter,
        RedisBackendBuilder,
        UsageQuotas,
    )

    quotas = UsageQuotas(
        [Quota(metric=metric, limit=LIMIT, per_seconds=60) for metric in ("requests", "tokens")]
    )
    connections = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=256)
    client = redis.asyncio.Redis.from_pool(connections)
    limiter: Any = RateLimiter(
        PerModelConfig(quotas=quotas),
        backend=RedisBackendBuilder(client, key_prefix="bench", lock_blocking_timeout_seconds=60),
    )

    async def turn() -> None:
        held = await limiter.acquire_capacity(model="m", usage={"requests": 1, "tokens": 100})
        await limiter.refund_capacity(actual_usage={"requests": 1, "tokens": 50}, reservation=held)

    return turn


def _report(rates: Rates) -> int:
    console, best = Console(highlight=False, soft_wrap=True), dict[str, float]()
    for (name, workers), found in rates.items():
        best[name] = max(best.get(name, 0.0), median(found))
        console.print(
            f"{name:<22} {workers:>3} workers {median(found):>9,.0f} acquire+settle/s"
            f" (from {min(found):,.0f} to {max(found):,.0f})"
        )
    ours, theirs = best["flashlite, Redis"], best.get("token-throttle, Redis")
    if theirs is None:
        console.print("token-throttle is not installed (it needs Python 3.12): no ratio")
    else:
        console.print(f"ratio of the best {ours / theirs:.1f} (at least {LEAST_RATIO})")
    return int(ours < LEAST_RATE or (theirs is not None and ours < LEAST_RATIO * theirs))


if __name__ == "__main__":
    sys.exit(main())
