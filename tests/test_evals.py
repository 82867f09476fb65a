"""The bundled evals: their data and their scorers."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

EVALS = Path(__file__).parents[1] / "evals"

_spec = importlib.util.spec_from_file_location("flashlite_eval_task", EVALS / "task.py")
assert _spec is not None
assert _spec.loader is not None
task = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(task)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ANSWER: 42", "42"),
        ("2 + 2 = 4\n\nANSWER: 4", "4"),
        ("ANSWER: 1\nNo, wait.\nANSWER: 2", "2"),
        ("ANSWER: $1,234.50.", "1234.50"),
        ("ANSWER: **-7**", "-7"),
        ("ANSWER: \u22127", "-7"),
        ("It is 3, then 5.", "5"),
        ("ANSWER: none", None),
        ("I do not know.", None),
        ("", None),
    ],
)
def test_the_final_number_is_read_as_a_person_would(text: str, number: str | None) -> None:
    assert task.read_number(text) == (None if number is None else Decimal(number))


def test_there_are_a_hundred_different_questions_in_four_grades() -> None:
    lines = [json.loads(line) for line in (EVALS / "arithmetic.jsonl").read_text().splitlines()]
    assert Counter(line["metadata"]["difficulty"] for line in lines) == dict.fromkeys(
        ("easy", "medium", "hard", "expert"), 25
    )
    assert len({line["input"] for line in lines}) == len({line["id"] for line in lines}) == 100


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("(3 + 4) * 5", "35"),
        ("7 / 2", "3.5"),
        ("12 / 4", "3.0"),
        ("1 / 0", "That cannot be worked out: division by zero"),
        ("9 ** 9", "That is not an arithmetic expression."),
        ("__import__('os')", "That is not an arithmetic expression."),
    ],
)
async def test_the_tool_works_out_arithmetic_and_nothing_else(expression: str, result: str) -> None:
    assert await task.calculate()(expression=expression) == result
