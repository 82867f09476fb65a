"""Reading a finished or running log without Inspect."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..whole_file import whole_file
from .documents import to_summary

_LAST = ("stats", "error")  # Inspect's own files have these after the results


def summaries(path: Path) -> list[dict[str, Any]]:
    """Return the summaries of a log's samples, in the order in which they ended."""
    if path.suffix == ".json":
        return [to_summary(sample) for sample in json.loads(path.read_bytes())["samples"]]
    with zipfile.ZipFile(path) as log:
        names = log.namelist()
        if "summaries.json" in names:
            found: list[dict[str, Any]] = json.loads(log.read("summaries.json"))
            return found
        parts = [name for name in names if name.startswith("_journal/summaries/")]
        return [summary for name in parts for summary in json.loads(log.read(name))]


def table(path: Path | None) -> Any:
    """Return a pandas DataFrame with a row for each sample: its scores, tokens, cost and error."""
    try:
        import pandas  # type: ignore[import-untyped]  # its stubs are a package of their own
    except ImportError as error:
        raise ConfigError("results() needs pandas: pip install pandas") from error
    return pandas.DataFrame([_row(summary) for summary in (summaries(path) if path else ())])


def write_json(path: Path) -> Path:
    """Write an `.eval` log as `.json` beside it, sample by sample; return the new path."""
    target = path.with_suffix(".json")
    with zipfile.ZipFile(path) as log, whole_file(target) as file:
        header = json.loads(log.read("header.json"))
        last = {name: header.pop(name) for name in _LAST if name in header}
        file.write(json.dumps(header | last)[:-1].encode() + b', "samples": [')
        for number, sample in enumerate(_samples(log)):
            file.write((b",\n" if number else b"\n") + sample)
        file.write(b"]}")
    return target


def _samples(log: zipfile.ZipFile) -> Iterator[bytes]:
    return (log.read(name) for name in log.namelist() if name.startswith("samples/"))


def _row(summary: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: summary.get(name) for name in ("id", "epoch", "target", "error", "total_time")}
    usage = summary["model_usage"].values()
    row["models"] = ", ".join(summary["model_usage"])
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        row[name] = sum(used[name] for used in usage)
    costs = [used.get("total_cost") for used in usage if used["total_tokens"]]
    row["total_cost"] = None if None in costs else sum(costs)
    for name, score in (summary.get("scores") or {}).items():
        value = score["value"]
        parts = value if isinstance(value, dict) else {None: value}
        row |= {f"score_{name}" + (f"_{key}" if key else ""): v for key, v in parts.items()}
    return row
