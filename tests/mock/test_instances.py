"""Instances of schemas."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from flashlite.providers.mock.instances import instance


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    title: str
    size: Annotated[int, Field(gt=3, le=9)]
    share: Annotated[float, Field(gt=0, lt=1)]
    colour: Colour
    kind: Literal["a", "b"]


class Tree(BaseModel):
    leaf: Leaf
    children: list[Tree] = Field(default_factory=list)
    parent: Tree | None = None
    tags: Annotated[list[str], Field(min_length=2)]
    code: Annotated[str, Field(min_length=6, max_length=8)]
    either: int | str


class Twin(BaseModel):
    other: Twin | None


@pytest.mark.parametrize("model", [Leaf, Tree, Twin])
def test_an_instance_satisfies_its_model(model: type[BaseModel]) -> None:
    made = instance(model.model_json_schema())
    assert model.model_validate(made).model_dump(mode="json", exclude_unset=True) == made


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 3}, 3),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -2}, -3),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "null"}, None),
        ({"type": "string", "format": "date"}, "2024-01-01"),
        ({"allOf": [{"type": "object"}, {"properties": {"a": {"const": 1}}}]}, {"a": 1}),
    ],
)
def test_small_schemas_have_obvious_instances(schema: dict[str, Any], expected: Any) -> None:
    assert instance(schema) == expected
