"""`flashlite top`: what is seen of a pool, by people and by programs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from flashlite import Budget, SQLitePool
from flashlite.cli.top import Spending
from flashlite.middleware.pool import PoolSight, SharedMinute
from flashlite.middleware.pool.shared_minute import MinuteDesk
from flashlite.middleware.pool.sight import Member, MinuteSight, PurseSight
from flashlite.middleware.windows import Amount

from .commands import run

INF = float("inf")


@pytest.fixture
def pool_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pool in which two of three calls were let in and one waits, and $0.25 of $5 were spent."""
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "pool.db"

    async def work() -> None:
        pool = SQLitePool(path)
        limits = Amount(2, INF, INF, 1000)
        minute = SharedMinute(pool, "x", label="openai/gpt-4o", limits=limits)
        desk = MinuteDesk(minute, lambda: None)
        await desk.exchange([Amount(1, tokens=100)] * 3, waiting=3)
        budget = Budget(5.0, pool=pool)
        budget.settle(await budget.reserve(0.5), 0.25)
        await budget.reserve(0.125)
        await budget.aflush()
        await pool.aclose()

    asyncio.run(work())
    return path


def test_a_table_shows_rates_spend_and_who_waits(pool_file: Path) -> None:
    ran = run("top", pool_file, "--once")
    assert (ran.code, ran.err) == (0, "")
    words = [" ".join(line.split()) for line in ran.out.splitlines() if line.strip(" ─")]
    program = Path(sys.argv[0]).name or "python"
    assert words == [
        f"pool default in {pool_file}: 1 process",
        "model requests/min tokens/min waiting processes ETA",
        "openai/gpt-4o 2 of 2 (100%) 200 of 1,000 (20%) 1 1 30 s",
        "budget: $0.25 of $5.00 spent, $0.125 reserved",
        "process program waiting last heard of",
        f"{os.getpid()} on {socket.gethostname()} {program} 1 now",
    ]


def test_top_speaks_json(pool_file: Path) -> None:
    found = json.loads(run("top", f"sqlite:{pool_file}", "--json").out)
    [minute], purse = found["minutes"], found["purse"]
    [member], _ = minute.pop("members"), purse.pop("members")
    assert (member["process"], member["waiting"]) == (os.getpid(), 1)
    assert purse == {"limit": 5.0, "spent": 0.25, "reserved": 0.125}
    assert minute == {
        "label": "openai/gpt-4o",
        "limits": {"requests": 2, "input_tokens": None, "output_tokens": None, "tokens": 1000},
        "used": {"requests": 2, "input_tokens": 0, "output_tokens": 0, "tokens": 200},
        "closed_for": 0.0,
        "eta": 30.0,
    }


def test_a_model_is_shown_as_it_is_called(tmp_path: Path) -> None:
    async def work() -> None:
        pool = SQLitePool(tmp_path / "pool.db")
        await SharedMinute(pool, "x", label="hf/m[v2][/x]").line.enter(Amount(1))
        await pool.aclose()

    asyncio.run(work())
    assert "hf/m[v2][/x]" in run("top", f"sqlite://{tmp_path}/pool.db", "--once").out


def test_a_pool_in_which_nobody_was_is_empty(pool_file: Path) -> None:
    ran = run("top", pool_file, "--name", "other", "--once")
    assert ran.out == f"pool other in {pool_file}: 0 processes\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.db"], "flashlite: there is no pool at none.db\n"),
        (["sqlite://none"], "flashlite: there is no pool at none\n"),
        (
            ["reids://:secret@host"],
            "flashlite: a pool's address is redis://host:port/number or sqlite:path/of/a/file.db\n",
        ),
        ([], "flashlite: where is Redis? Pass redis_url=... or set REDIS_URL\n"),
    ],
)
def test_a_pool_that_is_not_there_is_an_error(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert run("top", *arguments, "--once") == (2, "", said)


def test_a_redis_that_is_down_is_a_failure() -> None:
    ran = run("top", "redis://:secret@127.0.0.1:1/0", "--once")
    assert (ran.code, ran.out, "secret" in ran.err) == (1, "", False)
    assert ran.err.startswith("flashlite: Redis at 127.0.0.1:1/0 cannot be reached: ")


def member(waiting: int, *, silent_for: float = 0.0) -> Member:
    return Member(
        line="l", machine="m", process=1, program="p", waiting=waiting, silent_for=silent_for
    )


@pytest.mark.parametrize(
    ("waiting", "limits", "used", "eta"),
    [
        (0, Amount(60, INF, INF, INF), Amount(60), 0.0),
        (60, Amount(60, INF, INF, INF), Amount(60), 60.0),
        (5, Amount(60, INF, INF, INF), Amount(50), 0.0),
        (100, Amount(60, INF, INF, 1000), Amount(10, tokens=1000), 600.0),
        (5, Amount(INF, INF, INF, INF), Amount(50), None),
    ],
)
def test_the_eta_is_when_the_last_who_waits_gets_in(
    waiting: int, limits: Amount, used: Amount, eta: float | None
) -> None:
    members = (member(waiting), member(999, silent_for=20))  # the second has died
    minute = MinuteSight(label="m", limits=limits, used=used, closed_for=0.0, members=members)
    assert minute.eta == eta


def test_the_budgets_eta_is_by_the_spending_of_the_last_minute() -> None:
    def at(spent: float) -> PoolSight:
        purse = PurseSight(limit=10.0, spent=spent, reserved=0.0, members=())
        return PoolSight(name="n", place="p", minutes=(), purse=purse)

    spending = Spending()
    assert spending.eta(at(0.0)) is None
    for now, spent in ((0, 0.0), (50, 1.0), (90, 2.0), (100, 3.0)):
        spending.add(at(spent), now=now)
    assert spending.eta(at(3.0)) == 7.0 * 50 / 2.0
