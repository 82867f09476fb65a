"""The calculator's arithmetic."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.providers.mock.arithmetic import read_arithmetic, work_out

QUESTIONS = Path(__file__).parents[2] / "evals" / "arithmetic.jsonl"


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("What is 12 + 30?", "12 + 30"),
        ("What is (3 + 4) * 5 - 2?", "(3 + 4) * 5 - 2"),
        ("Compute 7 × 8 ÷ 4.", "7 * 8 / 4"),
        ("What is seven plus twelve times three?", "7 + 12 * 3"),
        ("What is one hundred and five minus twenty-one?", "105 - 21"),
        ("two thousand three hundred divided by fifty", "2300 / 50"),
        ("Start with 40. Divide it by 8, then add seventeen.", "40 / 8 + 17"),
        (
            "Begin with 6. Double it, subtract 2, then multiply it by 3.",
            "((6) * 2 - 2) * 3",
        ),
        ("Start with 9. Halve it.", "9 / 2"),
        ("The answer is 42.", None),
        ("Tell me a story about one dog.", None),
        ("", None),
    ],
)
def test_arithmetic_is_read_out_of_a_text(text: str, expression: str | None) -> None:
    read = read_arithmetic(text)
    assert (read and work_out(read)) == (expression and work_out(expression))


def test_every_question_of_the_bundled_eval_is_worked_out_right() -> None:
    lines = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]
    answers = [work_out(read_arithmetic(line["input"]) or "") for line in lines]
    assert answers == [Fraction(line["target"]) for line in lines]


_NUMBERS = st.integers(0, 999).map(str)
_EXPRESSIONS = st.recursive(
    _NUMBERS,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*"), inner),
        inner.map("({})".format),
    ),
    max_leaves=12,
)


@given(_EXPRESSIONS)
def test_the_value_is_that_of_the_expression(expression: str) -> None:
    assert work_out(expression) == eval(expression)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    read = read_arithmetic(text)
    assert read is None or isinstance(read, str)


@pytest.mark.parametrize("broken", ["", "1 +", "(1", "1 2", "a"])
def test_what_is_no_expression_is_refused(broken: str) -> None:
    with pytest.raises(ValueError):
        work_out(broken)
