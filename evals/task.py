"""Arithmetic in words and symbols: a small eval that is easy to check, and a pattern to copy.

    inspect eval evals/task.py --model flashlite/mock/calculator
    inspect eval evals/task.py --model flashlite/mock/calculator -M skill=0.8
    inspect eval evals/task.py --model flashlite/gpt-4o -T tools=true

Asks 100 questions in four grades of difficulty, 25 each, and reads the last number of each answer.
The questions in `arithmetic.jsonl` were drawn at random for this eval and belong to the
repository; every target is an integer that was worked out exactly.

To write the next eval, copy this file and change its three parts:

1. the dataset: one JSON object a line with `input` and `target`; what you want to group by goes
   into `metadata`;
2. the solver: what happens between the question and the answer. `generate()` asks the model once;
   put prompts, tools or whole agents before it;
3. the scorer: compares the answer with the target. Score what the model said, never what you hope
   it meant, and put into `explanation` what someone needs who doubts the score.
"""

import re
from decimal import Decimal
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    Score,
    Scorer,
    Target,
    accuracy,
    grouped,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState, generate, prompt_template, use_tools
from inspect_ai.tool import Tool, tool

QUESTIONS = Path(__file__).with_name("arithmetic.jsonl")

PROMPT = """{prompt}

Show your work, then end with a line of the form "ANSWER: $NUMBER"."""

# A number as people write it: a sign, thousands separators, decimals.
NUMBER = re.compile(r"[-\u2212]?\d+(?:,\d{3})*(?:\.\d+)?")


@task
def arithmetic(tools: bool = False) -> Task:
    """100 questions; `-T tools=true` offers the model a calculator."""
    return Task(
        dataset=json_dataset(str(QUESTIONS)),
        solver=[
            prompt_template(PROMPT),
            *([use_tools(calculate())] if tools else []),
            generate(),
        ],
        scorer=final_number(),
    )


@tool
def calculate() -> Tool:
    async def execute(expression: str) -> str:
        """Work out an arithmetic expression.

        Args:
            expression: Numbers, + - * / and brackets, for example "(3 + 4) * 5".
        """
        if not re.fullmatch(r"[\d\s.+\-*/()]{1,200}", expression) or "**" in expression:
            return "That is not an arithmetic expression."
        try:
            return str(eval(expression))  # only digits, + - * / and brackets get here
        except (ArithmeticError, SyntaxError, TypeError) as error:
            return f"That cannot be worked out: {error}"

    return execute


# `grouped` adds the accuracy of each difficulty to the accuracy over all.
@scorer(metrics=[grouped(accuracy(), "difficulty", all_label="accuracy"), stderr()])
def final_number() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        answer = read_number(state.output.completion)
        right = answer is not None and answer == Decimal(target.text)
        return Score(
            value=CORRECT if right else INCORRECT,
            answer=None if answer is None else f"{answer}",
            explanation=state.output.completion,
        )

    return score


def read_number(text: str) -> Decimal | None:
    """Return the number after the last "ANSWER:", else the last number of the text."""
    _, marker, after = text.rpartition("ANSWER:")
    numbers = NUMBER.findall(after if marker else text)
    if not numbers:
        return None
    number = numbers[0] if marker else numbers[-1]
    return Decimal(number.replace(",", "").replace("\u2212", "-"))
