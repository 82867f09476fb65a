"""Arithmetic in words and symbols: a small eval that is easy to check, and a pattern to copy.

    inspect eval evals/task.py --model flashlite/mock/calculator
    inspect eval evals/task.py --model flashlite/mock/calculator -M skill=0.8
    inspect eval evals/task.py --model flashlite/gpt-4o -T tools=true

The eval asks 100 questions in four grades of difficulty, 25 each, and reads the number after
"ANSWER:", or the last number of an answer without such a line.
The questions in `arithmetic.jsonl` were drawn at random for this eval and belong to the
repository; every target is an integer that was computed exactly.

To write another eval, copy this file and change its three parts:

1. the dataset: one JSON object per line with `input` and `target`; fields to group by go into
   `metadata`;
2. the solver: what happens between the question and the answer. `generate()` asks the model once;
   put prompts, tools or whole agents before it;
3. the scorer: compares the answer with the target. Score what the model said, never what you hope
   it meant, and put into `explanation` what a reader needs to check the score.
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

# How models begin the last line: also "Answer:" and "**Final answer**:". Words in the middle of a
# line ("to find the answer: ...") do not count, unless in capitals as asked.
MARKER = re.compile(r"ANSWER[*_]*:|(?im:^\W*(?:final )?answer[*_]*:)")

# A number as people write it: a sign, thousands separators, decimals, a power of ten.
NUMBER = re.compile(r"[-\u2212]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3}\b)?")

# Stop reasons of a model that may have stopped before it answered.
CUT_SHORT = ("max_tokens", "model_length", "content_filter")


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
        output, text = state.output, state.output.completion
        if output.empty or output.message.tool_calls:
            return Score.unscored(explanation="the sample ended before there was an answer")
        if output.stop_reason in CUT_SHORT and not MARKER.search(text):
            # A number from unfinished work would be a guess.
            reason = f"no answer: the model stopped at {output.stop_reason}"
            return Score(value=INCORRECT, explanation=reason)
        answer = read_number(text)
        right = answer is not None and answer == Decimal(target.text)
        return Score(
            value=CORRECT if right else INCORRECT,
            answer=None if answer is None else f"{answer:f}",
            explanation=text,
        )

    return score


def read_number(text: str) -> Decimal | None:
    """Return the number of the last "ANSWER:" line, else the last number of the text.

    For "ANSWER: 7 * 6 = 42" that is 42.
    """
    *work, answer = MARKER.split(text)
    if not work:
        numbers = NUMBER.findall(text)[-1:]
    else:
        line, _, _ = answer.strip("*_$ \n").partition("\n")
        _, equals, result = line.rpartition("=")
        numbers = NUMBER.findall(result)[-1:] if equals else NUMBER.findall(line)[:1]
    return Decimal(numbers[0].replace(",", "").replace("\u2212", "-")) if numbers else None
