"""The same call through flashlite and through litellm: what goes out is the same, or explained.

`differences.json` lists what differs: for each provider a reason, and under it the field and the
cases. A difference that is not listed fails, and so does one that is listed and does not occur.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .contestants import CONTESTANTS
from .recorder import NOTHING, ask_ourselves, recording

HERE = Path(__file__).parent
CASES = json.loads((HERE / "cases.json").read_text("utf-8"))
EXPLAINED = json.loads((HERE / "differences.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def ask_litellm() -> Iterator[Callable[[str, Any], Any]]:
    with recording() as ask:
        yield ask


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", CONTESTANTS)
async def test_what_goes_out_is_the_same_or_explained(
    name: str,
    case: str,
    ask_litellm: Callable[[str, Any], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rival, arguments = CONTESTANTS[name], CASES[case]
    for variable, value in rival.env.items():
        monkeypatch.setenv(variable, value)
    ours, theirs = await ask_ourselves(rival, arguments), ask_litellm(name, arguments)
    found = dict(differences(ours, theirs))
    unexplained = {field: both for field, both in found.items() if field not in listed(name, case)}
    assert unexplained == {}
    assert listed(name, case) - found.keys() == set()


def test_only_contestants_and_cases_are_explained() -> None:
    rows = [(name, field, cases) for name, field, cases in rows_of(EXPLAINED)]
    assert {name for name, _, _ in rows} <= CONTESTANTS.keys()
    assert {case for _, _, cases in rows for case in cases} <= CASES.keys()


def listed(name: str, case: str) -> set[str]:
    """Return the fields that are explained for a case of a provider."""
    return {field for whose, field, cases in rows_of(EXPLAINED) if whose == name and case in cases}


def rows_of(explained: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for name, reasons in explained.items():
        for fields in reasons.values():
            for field, cases in fields.items():
                yield name, field, cases


def differences(ours: Any, theirs: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the places where two JSON values differ, as deep down as possible, with both values."""
    if NOTHING in (ours, theirs):
        if ours != theirs:
            yield "refused", {"ours": ours, "theirs": theirs}
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            inner = (ours.get(key, "(not sent)"), theirs.get(key, "(not sent)"))
            yield from differences(*inner, f"{place}.{key}".removeprefix(".body").lstrip("."))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for n, both in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*both, f"{place}.{n}")
    elif json.dumps(ours) != json.dumps(theirs):
        yield place, {"ours": ours, "theirs": theirs}
