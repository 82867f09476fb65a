"""Runs of the bundled evals, and what their logs say."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from math import nan
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import Model

EVALS = Path(__file__).parents[2] / "evals"

UNKNOWN = pytest.approx(nan, nan_ok=True)
"""A metric of nothing."""


def run_eval(
    name: str,
    folder: Path,
    *,
    model: str | Model = "flashlite/mock/echo",
    limits: Mapping[str, int] | None = None,
    **arguments: Any,
) -> EvalLog:
    """Run an eval as `inspect eval evals/<name>.py -T …` does, and read its log from disk.

    `limits` are Inspect's, such as `message_limit`.
    """
    [log] = eval(
        f"evals/{name}.py",
        model=model,
        task_args=arguments,
        display="none",
        log_dir=str(folder),
        log_realtime=False,  # nobody watches
        **(limits or {}),
    )
    assert log.status == "success", log.error
    return read_eval_log(log.location, resolve_attachments=True)


def metrics(log: EvalLog) -> dict[str, dict[str, float]]:
    """Return the metrics of each score, without standard errors of means."""
    assert log.results is not None
    return {
        score.name: {
            name.removeprefix("grouped_"): metric.value
            for name, metric in score.metrics.items()
            if name != "stderr" and not (name.startswith("grouped_") and name.endswith("_stderr"))
        }
        for score in log.results.scores
    }


def sample(log: EvalLog, name: str) -> EvalSample:
    """Return the sample of that id."""
    assert log.samples is not None
    [found] = [one for one in log.samples if one.id == name]
    return found


@cache
def module(name: str) -> Any:
    """Return an eval's file as a module."""
    spec = importlib.util.spec_from_file_location(f"flashlite_eval_{name}", EVALS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
