"""Reading answers: whole ones, wrapped ones, unfinished ones, and what is said of wrong ones."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from flashlite.schema import InvalidAnswer, partial, validate


class Priority(Enum):
    LOW = "low"
    HIGH = "high"


class Task(BaseModel):
    title: str
    priority: Priority = Priority.LOW


class Plan(BaseModel):
    tasks: list[Task]
    summary: str = ""


TASK = Task(title="sleep", priority=Priority.HIGH)
JSON = '{"title": "sleep", "priority": "high"}'


@pytest.mark.parametrize(
    "text",
    [
        JSON,
        f"\n  {JSON}\n",
        f"```json\n{JSON}\n```",
        f"Here you are:\n\n```JSON \n{JSON}\n```\nAnything else?",
        f"```\n{JSON}\n```",
        f"Sure! {JSON} I hope that [1] helps {{smile}}.",
        f"As [1] and {{2}} say: {JSON}",
        f'First {{"wrong": 1}}, then {JSON}',
        f"```python\nx = 1\n```\n```json\n{JSON}\n```",
        f"\ufeff{JSON}",
    ],
)
def test_json_is_found_where_models_put_it(text: str) -> None:
    assert validate(Task, text) == TASK


@pytest.mark.parametrize(
    "thinking",
    ['<think>Perhaps {"title": "eat"}?</think>', 'Perhaps {"title": "eat"}? No.\n</think>\n\n'],
)
def test_what_was_thought_is_not_the_answer(thinking: str) -> None:
    assert validate(Task, thinking + JSON) == TASK
    assert partial(Task, thinking) is None
    assert partial(Task, thinking + JSON) == json.loads(JSON)


def test_thinking_without_an_end_is_no_answer() -> None:
    assert partial(Task, f"<think>Perhaps {JSON}") is None
    with pytest.raises(InvalidAnswer, match="the answer is empty"):
        validate(Task, f"<think>Perhaps {JSON}")


@pytest.mark.parametrize(
    "text",
    [
        f'A good one is {{"title": "eat"}}. Mine: {JSON}',
        f'Example:\n```json\n{{"title": "eat"}}\n```\nAnswer:\n```json\n{JSON}\n```',
        f'{{"title": "eat"}}\n{JSON}',
    ],
)
def test_of_two_values_that_fit_nobody_knows_which_was_meant(text: str) -> None:
    with pytest.raises(InvalidAnswer, match="2 different JSON values in the answer fit: give one"):
        validate(Task, text)


def test_a_value_that_is_said_twice_is_one() -> None:
    assert validate(Task, f"```json\n{JSON}\n```\nSo: {JSON}") == TASK


def test_a_fence_inside_of_a_text_does_not_end_the_fence() -> None:
    text = '```json\n{"title": "use ```py\\nx\\n``` so"}\n```'
    assert validate(Task, text).title == "use ```py\nx\n``` so"


class Node(BaseModel):
    title: str
    child: Node | None = None


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "a", "child": {"title": "b"},}',
        '{"title": "a", "child": {"title": "b"}',
        '```json\n{"title": "a", "child": {"title": "b"},}\n```',
        'Say {"title": "a", "child": {"title": "b"}',
    ],
)
def test_a_part_of_a_broken_answer_is_never_taken_for_the_answer(text: str) -> None:
    with pytest.raises(InvalidAnswer, match="not JSON"):
        validate(Node, text)


@pytest.mark.parametrize("noise", ["[", "{", '\\"', '{"', '["a",', "{}", "[{]"])
def test_a_model_that_falls_into_a_loop_costs_no_time(noise: str) -> None:
    with pytest.raises(InvalidAnswer):
        validate(Task, "x" + noise * 20_000)


def test_a_number_that_python_does_not_read_is_no_crash() -> None:
    with pytest.raises(InvalidAnswer):
        validate(Task, f'It is {{"title": {"1" * 5000}}}')


def test_half_an_emoji_is_read_as_a_question_mark() -> None:
    assert validate(Task, '{"title": "\ud83d!"}').title == "?!"


def test_a_raw_line_break_in_a_text_is_read_as_one() -> None:
    assert validate(Task, '{"title": "a\nb"}').title == "a\nb"


@pytest.mark.parametrize("text", ['{"value": [1, 2]}', "[1, 2]", "It is [1, 2]."])
def test_a_list_may_come_inside_an_object_or_bare(text: str) -> None:
    assert validate(list[int], text) == [1, 2]
    assert validate(RootModel[list[int]], text).root == [1, 2]


def test_a_union_is_read_by_its_members() -> None:
    kind: Any = Task | Literal["none"]
    assert validate(kind, '{"value": "none"}') == "none"
    assert validate(kind, json.dumps({"value": json.loads(JSON)})) == TASK
    assert validate(kind, JSON) == TASK


def complaint(model: Any, text: str) -> str:
    with pytest.raises(InvalidAnswer) as caught:
        validate(model, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the answer is empty"),
        (" \n", "the answer is empty"),
        ("I cannot.", "there is no JSON in the answer"),
        ('{"title": ', "the answer is not JSON: EOF while parsing a value at line 1 column 10"),
        ('Here: {"title": "a",}', "the answer is not JSON: trailing comma at line 1 column 15"),
        ("3", "the answer: Input should be an object; got 3"),
        ("{}", "title: Field required"),
        ('{"title": 3}', "title: Input should be a valid string; got 3"),
        (
            '{"title": "a", "priority": "higher"}',
            "priority: Input should be 'low' or 'high'; got \"higher\"",
        ),
        ('See [1]: {"title": [1]}', "title: Input should be a valid string"),
        ("[" * 5000, "the answer is not JSON: recursion limit exceeded at line 1 column 202"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, said: str) -> None:
    assert complaint(Task, text) == said


def test_each_problem_has_its_place() -> None:
    text = '{"tasks": [{"title": "a"}, {"priority": "low"}, 5], "summary": null}'
    assert complaint(Plan, text).splitlines() == [
        "tasks[1].title: Field required",
        "tasks[2]: Input should be an object; got 5",
        "summary: Input should be a valid string; got null",
    ]


def test_a_problem_inside_a_wrapped_list_is_where_the_model_wrote_it() -> None:
    assert complaint(list[Task], '{"value": [{}]}') == "value[0].title: Field required"


def test_ten_problems_are_enough() -> None:
    lines = complaint(Plan, json.dumps({"tasks": [1] * 14})).splitlines()
    assert (len(lines), lines[-1]) == (11, "and 4 more")


def test_a_long_value_is_not_repeated_whole() -> None:
    assert len(complaint(list[int], json.dumps({"value": ["x" * 9999]}))) < 200


def test_a_models_own_rules_count_and_speak() -> None:
    class Even(BaseModel):
        model_config = ConfigDict(strict=True)
        number: int = Field(alias="n")

        @field_validator("number")
        @classmethod
        def is_even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("has to\nbe even")
            return value

    assert validate(Even, '{"n": 2}').number == 2
    assert complaint(Even, '{"n": 3}') == "n: has to be even; got 3"
    assert complaint(Even, '{"n": "2"}') == 'n: Input should be a valid integer; got "2"'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("Let me see", None),
        ("{", {}),
        ('{"title', {}),
        ('{"title": "sle', {"title": "sle"}),
        ('```json\n{"title": "sle', {"title": "sle"}),
        ('{"title": "a", "n": 12', {"title": "a"}),
        ('{"title": "a", "n": 12,', {"title": "a", "n": 12}),
        ('{"title": "a", "n": -', {"title": "a"}),
        ('{"title": "a", "n": tr', {"title": "a"}),
        ('{"title": "a"} and', {"title": "a"}),
        ('{"title": "\\ud83d', {"title": ""}),
        ('{"title": "\ud83d', None),
        ("{smile}", None),
    ],
)
def test_an_unfinished_answer_is_what_is_written_so_far(text: str, value: Any) -> None:
    assert partial(Task, text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("{", None), ('{"value": ["a", "b', ["a", "b"]), ('["a", "b', ["a", "b"]), ("none", None)],
)
def test_an_unfinished_list_comes_without_its_object(text: str, value: Any) -> None:
    assert partial(list[str], text) == value


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def is_part(part: Any, whole: Any) -> bool:
    """Whether one value can become the other by writing on."""
    if isinstance(part, dict) and isinstance(whole, dict):
        names = list(whole)[: len(part)]
        return list(part) == names and all(is_part(part[name], whole[name]) for name in names)
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    return bool(part == whole) and type(part) is type(whole)


@given(st.dictionaries(st.text(), values, max_size=4), st.booleans(), st.sampled_from([None, 2]))
def test_what_is_written_only_grows(whole: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(whole, ensure_ascii=ascii_only, indent=indent)
    before: Any = {}
    for end in range(len(text) + 1):
        part = partial(dict[str, Any], text[:end])
        if part is not None:
            assert is_part(before, part)
            assert is_part(part, whole)
            before = part
    assert before == whole


@given(values)
def test_any_value_survives_the_way_there_and_back(value: Any) -> None:
    assert validate(Any, json.dumps({"value": value})) == value
