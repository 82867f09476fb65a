"""The bundled evals: their data and their scorers."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from inspect_ai.model import ModelName, ModelOutput, StopReason
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from .logged import EVALS, UNKNOWN, metrics, module, run_eval

task = module("task")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ANSWER: 42", "42"),
        ("2 + 2 = 4\n\nANSWER: 4", "4"),
        ("ANSWER: 1\nNo, wait.\nANSWER: 2", "2"),
        ("ANSWER: $1,234.50.", "1234.50"),
        ("ANSWER: **-7**", "-7"),
        ("ANSWER: \u22127", "-7"),
        ("ANSWER: 7 * 6 = 42", "42"),
        ("ANSWER: x = 7 * 6 = 42.", "42"),
        ("Answer: 42", "42"),
        ("answer: 42.\n\nThat is 7 times 6, as 21 + 21 = 42 shows.", "42"),
        ("**ANSWER**: 42", "42"),
        ("**Final answer:** 42", "42"),
        ("ANSWER:\n\n42", "42"),
        ("So ANSWER: 42", "42"),
        ("ANSWER: 1e3", "1000"),
        ("ANSWER: 1.5E-2", "0.015"),
        ("ANSWER: .5", "0.5"),
        ("ANSWER: -1,234,567", "-1234567"),
        ("I add to find the answer: 3 + 4, that is 7.", "7"),
        ("It is 3, then 5.", "5"),
        ("ANSWER: 42 =", None),
        ("ANSWER: none\nI counted 3 times.", None),
        ("ANSWER: none", None),
        ("I do not know.", None),
        ("", None),
    ],
)
def test_the_final_number_is_read_as_a_person_would(text: str, number: str | None) -> None:
    assert task.read_number(text) == (None if number is None else Decimal(number))


async def _score(output: ModelOutput) -> Score | None:
    """Score an answer to a question whose answer is 42."""
    name = ModelName("mockllm/model")
    state = TaskState(
        model=name, sample_id=1, epoch=1, input="What is 6 * 7?", messages=[], output=output
    )
    return await task.final_number()(state, Target("42"))


@pytest.mark.parametrize("reason", ["max_tokens", "model_length", "content_filter"])
async def test_an_answer_that_was_cut_short_is_no_answer(reason: StopReason) -> None:
    score = await _score(ModelOutput.from_content("m", "6 * 7 is 42", stop_reason=reason))
    assert score == Score(value="I", explanation=f"no answer: the model stopped at {reason}")


@pytest.mark.parametrize("reason", ["stop", "max_tokens"])
async def test_an_answer_with_its_last_line_counts_however_it_ended(reason: StopReason) -> None:
    text = "6 * 7 = 42\n\nANSWER: 4.2e1"
    score = await _score(ModelOutput.from_content("m", text, stop_reason=reason))
    assert score == Score(value="C", answer="42", explanation=text)


async def test_a_model_that_said_nothing_gave_no_answer() -> None:
    assert await _score(ModelOutput.from_content("m", "")) == Score(value="I", explanation="")


@pytest.mark.parametrize(
    "output", [ModelOutput(), ModelOutput.for_tool_call("m", "calculate", {"expression": "6 * 7"})]
)
async def test_a_sample_that_ended_before_the_answer_is_unscored(output: ModelOutput) -> None:
    score = await _score(output)
    assert score is not None
    assert (score.value, score.explanation) == (
        UNKNOWN,
        "the sample ended before there was an answer",
    )


@pytest.mark.parametrize("limits", [{"time_limit": 0}, {"token_limit": 1}])
def test_questions_without_an_answer_have_no_metrics(
    limits: dict[str, int], tmp_path: Path
) -> None:
    limits = {"limit": 2, **limits}
    log = run_eval("task", tmp_path, model="flashlite/mock/calculator", limits=limits)
    assert metrics(log) == {"final_number": {"accuracy": UNKNOWN}}


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
