"""`flashlite top`: what all processes on a pool are doing now."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError, StoreError
from ..types.dollars import dollars
from . import options
from .options import print_json

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

    from ..middleware.pool import Pool, PoolSight
    from ..middleware.pool.sight import Member, MinuteSight, PurseSight

_PERIOD = 60.0  # seconds of spending from which the end of a budget is estimated


@click.command
@click.argument("pool", required=False)
@click.option(
    "--name", default="default", show_default=True, help="Of the pool, where there are several."
)
@click.option("--once", is_flag=True, help="Print one table, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@options.as_json
def top(pool: str | None, name: str, once: bool, interval: float, as_json: bool) -> None:
    """Show what all processes on a pool spend, send and wait for.

    POOL is redis://host:port/number or the file of a SQLitePool. [default: REDIS_URL]

    A model's requests and tokens are those that count against the limits now, including what
    running calls have reserved. ETA is when the last waiting call will be admitted, and when the
    budget will be spent if spending continues as in the last minute. Press Ctrl-C to exit.

    \b
    flashlite top pool.db
    flashlite top redis://localhost:6379/0 --name team --once
    """
    there = _pool(pool, name)
    if as_json:
        print_json(_json(asyncio.run(_look(there))))
    elif once:
        _print(asyncio.run(_look(there)))
    else:
        with suppress(KeyboardInterrupt):
            asyncio.run(_watch(there, interval))


def _pool(address: str | None, name: str) -> Pool:
    from ..middleware.pool import RedisPool, SQLitePool, open_pool

    if address is None:
        return RedisPool(name=name)
    if "://" not in address.removeprefix("sqlite:") and "@" not in address:  # maybe with a password
        address = f"sqlite:{address.removeprefix('sqlite:')}"
    pool = open_pool(address, name=name)
    if isinstance(pool, SQLitePool) and not pool.path.is_file():
        raise ConfigError(f"there is no pool at {pool.place}")
    return pool


async def _look(pool: Pool) -> PoolSight:
    from ..middleware.pool import look_at

    try:
        return await look_at(pool)
    finally:
        await pool.aclose()


async def _watch(pool: Pool, interval: float) -> None:
    """Redraw the pool at each interval, even while its server is down."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from ..middleware.pool import look_at

    spending = Spending()
    try:
        with Live(console=Console(markup=False), auto_refresh=False) as live:
            while True:
                try:
                    sight = await look_at(pool)
                except StoreError as error:
                    live.update(Text(str(error), style="red"), refresh=True)
                else:
                    spending.add(sight)
                    live.update(_drawn(sight, spending.eta(sight)), refresh=True)
                await asyncio.sleep(interval)
    finally:
        await pool.aclose()


class Spending:
    """What was spent in the last minute, to estimate when a budget will be spent."""

    def __init__(self) -> None:
        self._seen = deque[tuple[float, float]]()

    def add(self, sight: PoolSight, *, now: float | None = None) -> None:
        """Record what is spent now, or at `now`."""
        if sight.purse is None:
            return
        moment = time.monotonic() if now is None else now
        self._seen.append((moment, sight.purse.spent))
        while self._seen[0][0] < moment - _PERIOD:
            self._seen.popleft()

    def eta(self, sight: PoolSight) -> float | None:
        """Return the seconds until the budget is spent, None if that cannot be estimated."""
        if sight.purse is None or not self._seen:
            return None
        (began, before), (ended, after) = self._seen[0], self._seen[-1]
        if after <= before or ended <= began:
            return None
        left = sight.purse.limit - sight.purse.spent
        return max(0.0, left) * (ended - began) / (after - before)


def _json(sight: PoolSight) -> dict[str, Any]:
    """Return what is seen as plain JSON, with null for no limit."""
    found = asdict(sight)
    for said, minute in zip(found["minutes"], sight.minutes, strict=True):
        said["limits"] = {
            name: None if limit == inf else limit for name, limit in minute.limits._asdict().items()
        }
        said["used"] = minute.used._asdict()
        said["eta"] = minute.eta
    return found


def _print(sight: PoolSight) -> None:
    from rich.console import Console

    Console(markup=False, highlight=False).print(_drawn(sight, None))


def _drawn(sight: PoolSight, budget_eta: float | None) -> Group:
    from rich.console import Group
    from rich.text import Text

    from ..middleware.pool.sight import processes_of

    count = processes_of(sight.members)
    title = (
        f"pool {sight.name} in {sight.place}: {count} {'process' if count == 1 else 'processes'}"
    )
    parts: list[RenderableType] = [Text(title, style="bold")]
    if sight.minutes:
        parts.append(_minutes(sight.minutes))
    if sight.purse is not None:
        parts.append(Text(_budget(sight.purse, budget_eta)))
    if sight.members:
        parts.append(_processes(sight.members))
    return Group(*parts)


def _minutes(minutes: tuple[MinuteSight, ...]) -> Table:
    from ..middleware.pool.sight import processes_of, waiting_of

    table = _table("model", "requests/min", "tokens/min", "waiting", "processes", "ETA")
    for minute in minutes:
        table.add_row(
            minute.label,
            _of(minute.used.requests, minute.limits.requests),
            _of(minute.used.tokens, minute.limits.tokens),
            f"{waiting_of(minute.members):,}",
            f"{processes_of(minute.members):,}",
            _duration(minute.eta),
        )
    return table


def _budget(purse: PurseSight, eta: float | None) -> str:
    from ..middleware.pool.sight import waiting_of

    waiting = waiting_of(purse.members)
    parts = [
        f"budget: {dollars(purse.spent)} of {dollars(purse.limit)} spent",
        f"{dollars(purse.reserved)} reserved",
        f"{waiting:,} waiting" if waiting else "",
        f"spent in {_duration(eta)}" if eta is not None else "",
    ]
    return ", ".join(filter(None, parts))


def _processes(members: tuple[Member, ...]) -> Table:
    from ..middleware.pool.sight import waiting_of

    together: dict[tuple[str, int, str], list[Member]] = {}
    for one in members:
        together.setdefault((one.machine, one.process, one.program), []).append(one)
    table = _table("process", "program", "waiting", "last heard of")
    for (machine, process, program), theirs in sorted(together.items()):
        silent = min(one.silent_for for one in theirs)
        table.add_row(
            f"{process} on {machine}",
            program,
            f"{waiting_of(theirs):,}",
            "now" if silent < 1 else f"{silent:.0f} s ago",
        )
    return table


def _table(first: str, *others: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="left" if title == "program" else "right")
    return table


def _of(used: float, limit: float) -> str:
    if limit == inf:
        return f"{used:,.0f}"
    return f"{used:,.0f} of {limit:,.0f} ({used / limit:.0%})"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 1:
        return "now"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    words: Iterator[str] = (
        f"{n} {u}" for n, u in ((hours, "h"), (minutes, "min"), (left, "s")) if n
    )
    return " ".join(words)
