"""Inspecting a pool: how full its minutes are, who waits, and what was spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from ..windows import Amount
from .pool import Pool
from .shared_purse import DOLLAR

_WAITS = 5.0  # seconds within which a waiting line contacts the pool again, unless it died
_LIVES = 60.0  # seconds for which a silent process is listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An event loop of a process, its waiting calls, and the seconds since its last exchange."""

    line: str
    machine: str
    process: int
    program: str
    waiting: int
    silent_for: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteSight:
    """A minute of one model: its limits (inf for none) and what was let in.

    `closed_for` is how many more seconds the server has asked everybody to wait.
    """

    label: str
    limits: Amount
    used: Amount
    closed_for: float
    members: tuple[Member, ...]

    @property
    def eta(self) -> float | None:
        """Seconds until all waiting calls are let in, if they are as large as those before.

        None if that is unknown, because there is no limit.
        """
        waiting = waiting_of(self.members)
        if not waiting:
            return self.closed_for
        each = [taken / max(1, self.used.requests) for taken in self.used]
        minutes = [
            max(0.0, waiting * size + used - limit) / limit
            for size, used, limit in zip(each, self.used, self.limits, strict=True)
            if limit < inf
        ]
        return self.closed_for + 60 * max(minutes) if minutes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseSight:
    """A budget in dollars: its limit, what is spent, and what running calls may still cost."""

    limit: float
    spent: float
    reserved: float
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSight:
    """A snapshot of a pool; `purse` is None if it has no budget."""

    name: str
    place: str
    minutes: tuple[MinuteSight, ...]
    purse: PurseSight | None

    @property
    def members(self) -> tuple[Member, ...]:
        """All recently active members, of minutes and budget together."""
        purse = self.purse.members if self.purse else ()
        return (*(one for minute in self.minutes for one in minute.members), *purse)


async def look_at(pool: Pool) -> PoolSight:
    """Return a snapshot of all rooms of a pool, without delaying anybody."""
    rooms = {room: await pool.ask(room, {"look": True}) for room in await pool.rooms()}
    minutes = [
        _minute(found) for room, found in rooms.items() if room != "purse" and found["limits"]
    ]
    purse = rooms.get("purse")
    return PoolSight(
        name=pool.name,
        place=pool.place,
        minutes=tuple(sorted(minutes, key=lambda minute: minute.label)),
        purse=_purse(purse) if purse else None,
    )


def waiting_of(members: Iterable[Member]) -> int:
    """Return how many calls wait, without those of dead members."""
    return sum(one.waiting for one in members if one.silent_for < _WAITS)


def processes_of(members: Iterable[Member]) -> int:
    """Return the number of distinct processes."""
    return len({(one.machine, one.process) for one in members})


def _minute(found: dict[str, Any]) -> MinuteSight:
    return MinuteSight(
        label=found["label"],
        limits=Amount(*(inf if limit is None else limit for limit in found["limits"])),
        used=Amount(*found["used"]),
        closed_for=found["closed"],
        members=_members(found["lines"]),
    )


def _purse(found: dict[str, Any]) -> PurseSight:
    limit, spent, reserved = (
        int(found[name] or 0) / DOLLAR for name in ("limit", "spent", "reserved")
    )
    return PurseSight(limit=limit, spent=spent, reserved=reserved, members=_members(found["lines"]))


def _members(lines: Iterable[list[Any]]) -> tuple[Member, ...]:
    found = (
        Member(
            line=line,
            machine=machine,
            process=process,
            program=program,
            waiting=waiting,
            silent_for=silent,
        )
        for line, silent, waiting, machine, process, program in lines
    )
    living = (one for one in found if one.silent_for < _LIVES)
    return tuple(sorted(living, key=lambda one: (one.machine, one.process, one.line)))
