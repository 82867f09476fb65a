"""The same samples by flashlite and by Inspect's own provider: the same, or explained.

`recordings/` has what Inspect's own provider does, written down by `record.py`. `differences.json`
lists what differs: for each provider a reason, and under it the field and the cases, "all" for what
is in every kind of sample. A difference that is not listed fails, and so does one that is listed
and does not occur. Places in lists have no number: `requests.*.body.messages.*.content`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.model import GenerateConfig

from .cases import CASES
from .record import RIVALS
from .recording import recorded

HERE = Path(__file__).parent
EXPLAINED = json.loads((HERE / "differences.json").read_text("utf-8"))
OURS = "flashlite/openai/gpt-4o"


@pytest.fixture(scope="module")
def ours() -> Any:
    return asyncio.run(recorded(OURS))


@pytest.mark.parametrize("name", EXPLAINED)
def test_each_sample_is_the_same_or_explained(name: str, ours: Any) -> None:
    theirs = json.loads((HERE / "recordings" / f"{name}.json").read_text("utf-8"))
    found = {
        (field, case): values
        for case in theirs
        for field, values in differences(ours[case], theirs[case])
    }
    assert theirs.keys() == CASES.keys()
    listed = {(field, case) for field, cases in rows_of(name) for case in cases if cases != "all"}
    common = {field for field, cases in rows_of(name) if cases == "all"}
    unlisted = {pair: values for pair, values in found.items() if pair[0] not in common}
    assert {pair: values for pair, values in unlisted.items() if pair not in listed} == {}
    assert listed - found.keys() == set()
    assert common - {field for field, _ in found} == set()


def test_only_providers_and_cases_are_explained() -> None:
    assert EXPLAINED.keys() == RIVALS.keys()
    listed = [cases for name in EXPLAINED for _, cases in rows_of(name) if cases != "all"]
    assert {case for cases in listed for case in cases} <= CASES.keys()


def test_every_field_of_a_config_is_asked_for() -> None:
    asked = {field for case in CASES.values() for field in case.config.model_fields_set}
    by_other_ways = {"batch"}  # which is no single request
    assert asked == set(GenerateConfig.model_fields) - by_other_ways


def rows_of(name: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields that are explained for a provider, and their cases."""
    for fields in EXPLAINED[name].values():
        yield from fields.items()


def differences(ours: Any, theirs: Any) -> Iterator[tuple[str, Any]]:
    """Yield the places where two records of a sample differ.

    Where one side asks nobody, that is the difference.
    """
    if bool(ours["requests"]) != bool(theirs["requests"]):
        yield (
            "refused",
            {
                "ours": ours["sample"].get("error"),
                "theirs": theirs["sample"].get("error"),
            },
        )
        return
    yield from _differences(ours, theirs)


def _differences(ours: Any, theirs: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the places where two JSON values differ, as deep down as possible, with both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            inner = (ours.get(key, "(nothing)"), theirs.get(key, "(nothing)"))
            yield from _differences(*inner, f"{place}.{key}".lstrip("."))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for pair in zip(ours, theirs, strict=True):
            yield from _differences(*pair, f"{place}.*")
    elif json.dumps(ours) != json.dumps(theirs):
        yield place, {"ours": ours, "theirs": theirs}
