"""What a type is asked for as: pydantic's schema, and the response_format around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
import typing_extensions
from pydantic import BaseModel, Field, RootModel

from flashlite.errors import ConfigError
from flashlite.schema import response_format_for, schema_of


class Priority(Enum):
    LOW = "low"
    HIGH = "high"


class Task(BaseModel):
    title: str
    priority: Priority = Priority.LOW


class Node(BaseModel):
    name: str
    children: list[Node] = []


@dataclass
class Point:
    x: int
    y: int


class Movie(typing_extensions.TypedDict):
    title: str


def asked(model: Any) -> dict[str, Any]:
    return response_format_for(model)["json_schema"]  # type: ignore[no-any-return]


def test_a_field_called_title_stays_and_made_up_titles_go() -> None:
    assert schema_of(Task) == {
        "$defs": {"Priority": {"enum": ["low", "high"], "title": "Priority", "type": "string"}},
        "properties": {
            "title": {"type": "string"},
            "priority": {"$ref": "#/$defs/Priority", "default": "low"},
        },
        "required": ["title"],
        "title": "Task",
        "type": "object",
    }


def test_a_recursive_model_keeps_its_references() -> None:
    schema = schema_of(Node)
    assert schema["$ref"] == "#/$defs/Node"
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_a_recursive_root_is_asked_for_as_an_object() -> None:
    schema = asked(Node)["schema"]
    assert (schema["type"], "$ref" in schema, "Node" in schema["$defs"]) == ("object", False, True)


@pytest.mark.parametrize("model", [Task, Node, Point, Movie])
def test_what_is_an_object_is_asked_for_as_it_is(model: Any) -> None:
    form = asked(model)
    assert (form["name"], form["strict"]) == (model.__name__, True)
    assert "value" not in form["schema"]["properties"]


@pytest.mark.parametrize(
    "model",
    [list[Task], int | str, Task | Point, Literal["a", "b"], RootModel[list[int]], Priority],
)
def test_what_is_no_object_is_asked_for_inside_one(model: Any) -> None:
    form = asked(model)
    assert list(form["schema"]["properties"]) == ["value"]
    assert (form["schema"]["required"], form["strict"]) == (["value"], True)


def test_a_dict_with_free_keys_is_an_object_but_not_strict() -> None:
    assert response_format_for(dict[str, int]) == {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "schema": {"type": "object", "additionalProperties": {"type": "integer"}},
            "strict": False,
        },
    }


class Box(BaseModel):
    pass


@pytest.mark.parametrize("name", ["Box[int]", "Größe", "日本", "x" * 100, "_"])
def test_names_are_such_as_providers_take(name: str) -> None:
    model = type(name, (Box,), {})
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", asked(model)["name"])


def test_what_is_returned_is_the_callers_own() -> None:
    response_format_for(Task)["json_schema"]["schema"].clear()
    schema_of(Task).clear()
    assert asked(Task)["schema"]["properties"].keys() == {"title", "priority"}
    assert schema_of(Task)["title"] == "Task"


def test_the_order_of_a_union_is_kept() -> None:
    orders = [
        asked(kind)["schema"]["properties"]["value"]["anyOf"] for kind in (int | str, str | int)
    ]
    assert orders[0] == orders[1][::-1]


def test_a_type_may_carry_notes_of_any_kind() -> None:
    assert schema_of(Annotated[int, ["a note"]]) == {"type": "integer"}  # type: ignore[arg-type]


def test_descriptions_and_limits_come_along() -> None:
    class Rating(BaseModel):
        stars: Annotated[int, Field(ge=1, le=5, description="how good")]

    assert schema_of(Rating)["properties"]["stars"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
        "description": "how good",
    }


class Opaque:
    pass


@pytest.mark.parametrize("instance", [Task(title="a"), Point(1, 2)])
def test_an_instance_is_not_taken_for_its_class(instance: Any) -> None:
    name = type(instance).__name__
    with pytest.raises(ConfigError) as caught:
        schema_of(instance)
    assert str(caught.value) == (
        f"response_model is a class: got an instance of {name}; pass {name}"
    )


@pytest.mark.parametrize("schema", [Task.model_json_schema(), {"a": 1}])
def test_a_json_schema_is_not_taken_for_a_class(schema: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        schema_of(schema)
    assert str(caught.value) == (
        "response_model is a class: got a dict; pass the class itself, or pass a JSON schema as "
        "response_format={...}"
    )


@pytest.mark.parametrize("wrong", [Opaque, 5, "Task", type])
def test_what_pydantic_cannot_validate_is_the_callers_mistake(wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        schema_of(wrong)
    assert "response_model is a type that pydantic can validate" in str(caught.value)
