"""What a process reads off itself: the CPU time it took and the memory it holds."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

Ask = Callable[[], Awaitable[object]]
Numbers = dict[str, float]


def cpu_seconds() -> float:
    """Return the CPU time of this process, all of its threads and the kernel's work included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_megabytes() -> float:
    """Return the memory held now; where the system does not tell, the most that ever was."""
    table = Path("/proc/self/statm")
    if table.exists():
        return int(table.read_text().split()[1]) * resource.getpagesize() / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


async def crowd(ask: Ask, *, calls: int, concurrency: int) -> float:
    """Make so many calls, so many at once; return the CPU microseconds of one."""
    turns = iter(range(calls))

    async def caller() -> None:
        for _ in turns:
            await ask()

    before = cpu_seconds()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return (cpu_seconds() - before) / calls * 1e6
