"""Measuring the CPU time and the memory of the current process."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

Ask = Callable[[], Awaitable[object]]
Numbers = dict[str, float]


def cpu_seconds() -> float:
    """Return the CPU time of this process, including all threads and kernel time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_megabytes() -> float:
    """Return the memory held now, or its peak if the system does not provide that."""
    table = Path("/proc/self/statm")
    if table.exists():
        return int(table.read_text().split()[1]) * resource.getpagesize() / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


async def crowd(ask: Ask, *, calls: int, concurrency: int) -> float:
    """Make `calls` calls, `concurrency` at once; return the CPU microseconds per call."""
    turns = iter(range(calls))

    async def caller() -> None:
        for _ in turns:
            await ask()

    before = cpu_seconds()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return (cpu_seconds() - before) / calls * 1e6
