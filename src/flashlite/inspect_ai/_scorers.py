"""Scorers that ask no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState
from pydantic_core import to_jsonable_python

from ..errors import ConfigError
from ..schema import InvalidAnswer, validate
from ._types import Shape, type_of


@scorer(metrics=[mean(), stderr()])
def schema_match(
    response_model: Shape, *, weights: dict[str, float] | None = None, tolerance: float = 0.0
) -> Scorer:
    """Compare the answer with the target field by field; the score is the share that is right.

        Task(dataset, solver=structured(Person), scorer=schema_match(Person))

    The score, from 0 to 1, is the mean over the fields, weighted by `weights` (field name to
    weight, 1 by default). A text is right if it is the same apart from case and spacing, a number
    if it differs by at most `tolerance` times the target. An object counts by the share of its
    fields that are right, a list by the share of its positions; missing and extra positions are
    wrong. An answer that does not fit `response_model` scores 0.

    The score's metadata says whether the answer `fits`, and how much of each of its `fields` is
    right. Raises ConfigError for a target that is not JSON of that type, and for unknown `weights`.
    """

    async def score(state: TaskState, target: Target) -> Score:
        shape, said = type_of(response_model), state.output.completion
        assert shape is not None
        wanted = _target(shape, target.text)
        try:
            given = to_jsonable_python(validate(shape, said))
        except InvalidAnswer as problem:
            return Score(
                value=0.0,
                answer=said,
                explanation=f"it does not fit: {problem}",
                metadata={"fits": False, "fields": dict.fromkeys(_shares(wanted, wanted, 0), 0.0)},
            )
        return _compared(_shares(given, wanted, tolerance), weights or {}, said)

    return score


def _compared(shares: Mapping[str, float], weights: Mapping[str, float], answer: str) -> Score:
    """Return the score of an answer that fits."""
    wrong = [name for name, share in shares.items() if share < 1]
    return Score(
        value=_weighted(shares, weights),
        answer=answer,
        explanation=f"not right: {', '.join(wrong)}" if wrong else "all of it is right",
        metadata={"fits": True, "fields": shares},
    )


def _target(shape: type[Any], text: str) -> Any:
    try:
        return to_jsonable_python(validate(shape, text))
    except InvalidAnswer as problem:
        raise ConfigError(f"the target is to be JSON that fits: {problem}: {text:.80}") from problem


def _shares(given: Any, wanted: Any, tolerance: float) -> dict[str, float]:
    """Return how much of each field is right; a value without fields counts as `value`."""
    if not isinstance(wanted, Mapping):
        return {"value": _share(given, wanted, tolerance)}
    fields = given if isinstance(given, Mapping) else {}
    return {
        name: _share(fields.get(name), value, tolerance) if name in fields else 0.0
        for name, value in wanted.items()
    }


def _share(given: Any, wanted: Any, tolerance: float) -> float:
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        names = wanted.keys() | given.keys()
        right = [
            _share(given[name], wanted[name], tolerance)
            if name in given and name in wanted
            else 0.0
            for name in names
        ]
        return sum(right) / len(right) if right else 1.0
    if isinstance(wanted, list) and isinstance(given, list):
        pairs = zip(given, wanted, strict=False)
        right = [_share(one, other, tolerance) for one, other in pairs]
        longest = max(len(given), len(wanted))
        return sum(right) / longest if longest else 1.0
    return float(_is_same(given, wanted, tolerance))


def _is_same(given: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(given, bool) or isinstance(wanted, bool):
        return given is wanted
    if isinstance(given, int | float) and isinstance(wanted, int | float):
        return abs(given - wanted) <= tolerance * abs(wanted)
    if isinstance(given, str) and isinstance(wanted, str):
        return " ".join(given.split()).casefold() == " ".join(wanted.split()).casefold()
    return bool(given == wanted)


def _weighted(shares: Mapping[str, float], weights: Mapping[str, float]) -> float:
    if unknown := sorted(weights.keys() - shares.keys()):
        raise ConfigError(f"there are weights for no fields: {', '.join(unknown)}")
    whole = sum(weights.get(name, 1.0) for name in shares)
    earned = sum(share * weights.get(name, 1.0) for name, share in shares.items())
    return earned / whole if whole else 1.0
