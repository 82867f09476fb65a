"""The progress of many calls: a bar on standard error, if that is a terminal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sized
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from .types import Usage
from .types.dollars import dollars


async def shown(
    outcomes: AsyncGenerator[tuple[int, Any]], *, requests: object, description: str | None = None
) -> AsyncGenerator[tuple[int, Any]]:
    """Yield the outcomes unchanged and draw a bar of them; `description` goes before the bar."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console, tally = Console(stderr=True), Tally()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    title = (TextColumn(description, markup=False),) if description else ()
    with Progress(
        *title, *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        total = len(requests) if isinstance(requests, Sized) else None
        task = bar.add_task(str(tally), total=total)
        async with aclosing(outcomes):
            async for number, outcome in outcomes:
                tally.add(outcome)
                bar.update(task, advance=1, description=str(tally))
                yield number, outcome


@dataclass(slots=True)
class Tally:
    """Counts of the outcomes so far."""

    failed: int = 0
    cached: int = 0
    tokens: int = 0
    dollars: float = 0.0

    def add(self, outcome: Any) -> None:
        """Count an outcome: an exception, an answer, or an instance of a `response_model`."""
        if isinstance(outcome, Exception):
            self.failed += 1
            return
        is_cached, usage = getattr(outcome, "cached", False), getattr(outcome, "usage", None)
        self.cached += is_cached
        if isinstance(usage, Usage) and not is_cached:
            self.tokens += usage.total_tokens
            self.dollars += usage.total_cost or 0.0

    def __str__(self) -> str:
        facts = [f"{self.failed} failed"] if self.failed else []
        facts += [f"{self.cached} cached"] if self.cached else []
        return ", ".join([*facts, f"{self.tokens:,} tokens", dollars(self.dollars)])
