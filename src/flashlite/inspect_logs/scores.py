"""Scores of samples, and their metrics over a log.

Metrics follow Inspect: the epochs of a sample are averaged first, then the samples (its reducer
`mean`, and `scorer/_metrics/mean.py`, `std.py`), and letters such as "C" count as numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from ..errors import ConfigError
from .plain import Fragment, plain

_WORDS = {
    "C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "YES": 1.0, "TRUE": 1.0, "NO": 0.0, "FALSE": 0.0
}  # fmt: skip
_NAN = Fragment(b"NaN")  # means unscored in Inspect


def to_score(
    value: Any,
    *,
    answer: str | None = None,
    explanation: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a score in Inspect's form: a number, a boolean, a text, or a dict or list of them.

    Raises ConfigError for anything else.
    """
    score: dict[str, Any] = {"value": _value(value)}
    if answer is not None:
        score["answer"] = plain(str(answer))
    if explanation is not None:
        score["explanation"] = plain(str(explanation))
    if metadata:
        score["metadata"] = plain(metadata)
    return score


def to_scores(given: Any) -> dict[str, dict[str, Any]]:
    """Return the scores that a caller gives, one value or a dict by name, in Inspect's form."""
    named = given if isinstance(given, Mapping) else {"score": given}
    return {plain(str(name)): to_score(value) for name, value in named.items()}


def respelled(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]] | None:
    """Return scores that were read from a file in Inspect's form, None if there are none."""
    return {n: {**score, "value": _value(score["value"])} for n, score in scores.items()} or None


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {plain(str(name)): _simple(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_simple(member) for member in value]
    return _simple(value)


def _simple(value: Any) -> Any:
    if hasattr(value, "item"):  # a number of numpy's
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return _NAN
    if not isinstance(value, str | int | float | bool):
        raise ConfigError(
            "a score is a number, a truth value or a text, or a dict or list of these; "
            f"got {type(value).__name__}"
        )
    return plain(value)


@dataclass(slots=True)
class _Tally:
    """The values of one score: by sample, a list with one per epoch."""

    scorer: str
    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unscored: int = 0
    are_letters: bool = True

    def add(self, sample: str, value: Any) -> None:
        number = _number(value)
        if number is None:
            self.unscored += 1
        else:
            self.values[sample].append(number)
            self.are_letters = self.are_letters and isinstance(value, str | bool)


class Results:
    """The metrics of a log's scores; it takes the summaries of samples, one by one.

    `lost` samples, which have no summary, count as samples but not as completed.
    """

    def __init__(self, *, lost: int = 0) -> None:
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._total, self._completed = lost, 0

    def add(self, summary: Mapping[str, Any]) -> None:
        """Count a sample, and its scores."""
        self._total += 1
        self._completed += not summary.get("error")
        for scorer, score in (summary.get("scores") or {}).items():
            value = score["value"]
            parts = value.items() if isinstance(value, dict) else [(scorer, value)]
            for name, part in parts:
                tally = self._tallies.setdefault((scorer, name), _Tally(scorer))
                tally.add(str(summary["id"]), part)

    def to_dict(self) -> dict[str, Any]:
        """Return Inspect's EvalResults."""
        scores = [_score(name, tally) for (_, name), tally in self._tallies.items()]
        results: dict[str, Any] = {
            "total_samples": self._total,
            "completed_samples": self._completed,
            "scores": scores,
        }
        if scores:
            first = scores[0]
            metric = next(iter(first["metrics"]))
            results["headline"] = {
                "scorer": first["scorer"], "score": first["name"], "metric": metric
            }  # fmt: skip
        return results

    def scorers(self) -> list[dict[str, Any]]:
        """Return the metrics of each score, so that Inspect can compute them again."""
        metrics: dict[str, Any] = {}
        for (scorer, name), tally in self._tallies.items():
            wanted = [{"name": f"inspect_ai/{metric}"} for metric in (_main(tally), "stderr")]
            group = metrics.setdefault(scorer, wanted if name == scorer else {})
            if isinstance(group, dict):
                group[name] = wanted
        return [{"name": scorer, "metrics": wanted} for scorer, wanted in metrics.items()]


def _score(name: str, tally: _Tally) -> dict[str, Any]:
    values = [fmean(epochs) for epochs in tally.values.values()]
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    # Without values there is no mean, and 0 would look like a bad score.
    of_all: tuple[Any, Any] = (fmean(values), error) if values else (_NAN, _NAN)
    metrics = dict(zip((_main(tally), "stderr"), of_all, strict=True))
    return {
        "name": name,
        "scorer": tally.scorer,
        "scored_samples": len(values),
        "unscored_samples": tally.unscored,
        "metrics": {metric: {"name": metric, "value": value} for metric, value in metrics.items()},
    }


def _main(tally: _Tally) -> str:
    return "accuracy" if tally.are_letters and tally.values else "mean"


def _number(value: Any) -> float | None:
    """Return a value as a number, None if it does not count."""
    if isinstance(value, str):
        if (word := value.upper()) in _WORDS:
            return _WORDS[word]
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None
