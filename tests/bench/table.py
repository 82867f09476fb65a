"""Printing the results as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from .contenders import Contender
from .measure import Results
from .scenarios import Row, Scenario
from .targets import Target

_BASELINE = "aiohttp"


def print_results(
    console: Console,
    results: Results,
    *,
    scenarios: Sequence[Scenario],
    contenders: Sequence[Contender],
) -> None:
    """Print a table of medians, and below it why numbers are missing."""
    table = Table(title="Medians; in brackets, against raw aiohttp", title_justify="left")
    table.add_column("what one costs")
    table.add_column("unit")
    for contender in contenders:
        table.add_column(contender.title, justify="right")
    for scenario in scenarios:
        for row in scenario.rows:
            cells = (_cell(results, scenario, row, one.name) for one in contenders)
            table.add_row(row.title, row.unit, *cells)
        table.add_section()
    console.print(table)
    for (scenario_name, contender_name), reason in results.failures.items():
        if not _is_absence(reason):
            console.print(f"{scenario_name}, {contender_name}: {reason}", markup=False)


def print_targets(console: Console, results: Results, *, targets: Sequence[Target]) -> None:
    """Print the targets and whether they are met."""
    table = Table(title="Targets", title_justify="left")
    for name in ("what", "at most", "measured", ""):
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    for row in _judged(results, targets):
        table.add_row(*row)
    if table.row_count:
        console.print(table)


def _judged(results: Results, targets: Sequence[Target]) -> Iterator[tuple[str, str, str, str]]:
    for target in targets:
        value, is_broken = target.measured(results), target.broken(results)
        if value is None and not is_broken:
            continue
        verdict = "met" if value is not None and value <= target.at_most else "missed"
        measured = "failed" if value is None else _with(value, target)
        verdict = "[red]broken" if is_broken else verdict
        yield target.title, _with(target.at_most, target), measured, verdict


def _with(value: float, target: Target) -> str:
    return f"{value:.2f} {target.unit}" if value < 10 else f"{value:.0f} {target.unit}"


def _cell(results: Results, scenario: Scenario, row: Row, contender: str) -> str:
    if contender in scenario.without:
        return "–"
    if reason := results.failures.get((scenario.name, contender)):
        return reason if _is_absence(reason) else "failed"
    value = results.median(scenario.name, contender, row.number)
    base = results.median(scenario.name, _BASELINE, row.number)
    if value is None:
        return ""
    if row.against is None or base is None or contender == _BASELINE:
        return _number(value)
    if row.against == "over":
        return f"{_number(value)} ({_number(value - base, signed=True)})"
    return f"{_number(value)} ({value / base:.1f})"


def _is_absence(reason: str) -> bool:
    """Whether a contender could not take part, which is not a failed measurement."""
    return reason == "not installed" or reason.startswith("needs ")


def _number(value: float, *, signed: bool = False) -> str:
    """Return a number with three digits, because further ones are noise."""
    sign = "+" if signed else ""
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:{sign},.{places}f}"
