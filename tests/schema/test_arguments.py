"""From what a model wrote to what a function is called with, and what it reads if that fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from flashlite.errors import ConfigError
from flashlite.schema import Arguments, InvalidAnswer


class Unit(Enum):
    CELSIUS = "c"


MANY: Any = Field(default_factory=list)


class Node(BaseModel):
    model_config = ConfigDict(strict=True)

    at: Path
    children: list[Node] = []


def read(function: Callable[..., Any], **given: Any) -> Any:
    args, kwargs = Arguments.of_function(function).read(given)
    return function(*args, **kwargs)


def problem(arguments: Arguments, **given: Any) -> str:
    with pytest.raises(InvalidAnswer) as caught:
        arguments.read(given)
    return str(caught.value)


def test_parameters_get_instances() -> None:
    def function(unit: Unit, node: Node, day: date, pair: tuple[int, str] | None = None) -> Any:
        return unit, node, day, pair

    node = Node(at=Path("a"), children=[Node(at=Path("b"))])
    given = {"at": "a", "children": [{"at": "b"}]}
    expected = (Unit.CELSIUS, node, date(2026, 1, 2), None)
    assert read(function, unit="c", node=given, day="2026-01-02") == expected
    assert read(function, unit=Unit.CELSIUS, node=node, day=date(2026, 1, 2)) == expected
    assert read(function, unit="c", node=given, day="2026-01-02", pair=[1, "x"])[3] == (1, "x")


def test_parameters_may_have_any_name_and_kind() -> None:
    def function(a: int = 1, b: int = 2, /, model_config: int = 3, *, _x: int, schema: int) -> Any:
        return a, b, model_config, _x, schema

    assert read(function, b=5, _x=6, schema=7) == (1, 5, 3, 6, 7)


def test_a_field_as_the_default_gives_its_own() -> None:
    def function(size: int = Field(5, ge=1), many: Any = MANY) -> Any:
        return size, many

    assert read(function) == (5, [])
    assert problem(Arguments.of_function(function), size=0) == (
        "size: Input should be greater than or equal to 1; got 0"
    )


def test_what_a_partial_has_filled_in_stays() -> None:
    def function(a: int, b: int, c: int = 0) -> Any:
        return a, b, c

    assert read(partial(function, 1, c=3), b=2) == (1, 2, 3)


def test_every_problem_is_a_line() -> None:
    def function(kind: Literal["a", "b"], nodes: list[Node], size: Annotated[int, "rows"]) -> None:
        raise AssertionError

    given = {"kind": "c", "nodes": [{"at": "a"}, {"at": 1}], "colour": "red"}
    assert problem(Arguments.of_function(function), **given).splitlines() == [
        "kind: Input should be 'a' or 'b'; got \"c\"",
        "nodes[1].at: Input should be a valid string; got 1",
        "size: Field required",
        'colour: Extra inputs are not permitted; got "red"',
    ]


def test_what_no_json_can_say_is_a_problem_too() -> None:
    def function(text: str) -> None:
        raise AssertionError

    said = problem(Arguments.of_function(function), text="\ud800")
    assert said.startswith("the arguments cannot be read: ")


class Search(BaseModel):
    """Search for information."""

    query: str
    most: int = Field(default=10, alias="max", ge=1)


def test_the_fields_of_a_model_are_arguments() -> None:
    arguments = Arguments.of_model(Search)
    assert (arguments.description, arguments.schema) == (
        "Search for information.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "max": {"type": "integer", "default": 10, "minimum": 1},
            },
            "required": ["query"],
        },
    )
    assert arguments.read({"query": "x", "max": 3}) == ((), {"query": "x", "most": 3})
    assert problem(arguments, query="x", max=0) == (
        "max: Input should be greater than or equal to 1; got 0"
    )
    assert problem(arguments) == "query: Field required"


def test_a_model_that_recurs_says_at_its_root_that_it_is_an_object() -> None:
    assert Arguments.of_model(Node).schema["type"] == "object"


def test_a_model_without_fields_is_refused() -> None:
    with pytest.raises(ConfigError, match="parameters is a model with fields"):
        Arguments.of_model(RootModel[list[int]])


def test_values_for_a_schema_are_checked_and_arrive_as_they_are() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "rows": {"items": {"type": "string"}}},
        "required": ["n"],
    }
    arguments = Arguments.of_schema(schema)
    assert arguments.schema == schema
    assert arguments.read({"n": 1, "more": None}) == ((), {"n": 1, "more": None})
    assert problem(arguments, rows=["a", 2]).splitlines() == [
        "rows[1]: 2 is not of type 'string'",
        "the arguments: 'n' is a required property",
    ]


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(ConfigError, match="parameters is no JSON schema: 'text' is not valid"):
        Arguments.of_schema({"type": "text"})
