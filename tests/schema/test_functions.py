"""The schema of a function's parameters, and what its docstring tells of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from flashlite.errors import ConfigError
from flashlite.schema import parameters_of

if TYPE_CHECKING:
    from decimal import Decimal


class Unit(Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


class Level(IntEnum):
    ONE = 1
    TWO = 2


class Node(BaseModel):
    title: str
    children: list[Node] = []


async def search_database(query: str, limit: int = 10, include_metadata: bool = False) -> str:
    """Search the database for matching records.

    Args:
        query: Search query string
        limit: Maximum results to return
        include_metadata: Whether to include metadata in results

    Returns:
        JSON string of matching records
    """
    raise NotImplementedError


def test_a_function_with_a_google_docstring() -> None:
    assert parameters_of(search_database) == (
        "Search the database for matching records.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "Search query string"},
                "limit": {
                    "type": "integer",
                    "description": "Maximum results to return",
                    "default": 10,
                },
                "include_metadata": {
                    "type": "boolean",
                    "description": "Whether to include metadata in results",
                    "default": False,
                },
            },
            "required": ["query"],
        },
    )


def test_a_function_with_a_sphinx_docstring() -> None:
    def move(x: int, y: int = 0) -> None:
        """Move there.

        It takes a while.

        :param x: to the right,
            in steps
        :param int y: up
        :type y: int
        :returns: nothing
        :raises ValueError: never
        """

    description, schema = parameters_of(move)
    assert description == "Move there.\n\nIt takes a while."
    assert schema["properties"] == {
        "x": {"type": "integer", "description": "to the right, in steps"},
        "y": {"type": "integer", "description": "up", "default": 0},
    }


def test_entries_may_have_types_and_several_lines() -> None:
    def pick(items: list[str], *more: str, at: int) -> None:
        """Pick some.

        Arguments:
            items (list[str], optional): what there is:
                all of it

                and more
            *more: ignored
            at(int): where
            not an entry

        Note:
            Prose stays.

        Example:
            pick([])
        """

    description, schema = parameters_of(pick)
    assert description == "Pick some.\n\nNote:\n    Prose stays."
    told = {name: inner["description"] for name, inner in schema["properties"].items()}
    assert told == {"items": "what there is: all of it and more", "at": "where"}


def schema_of_one(function: Callable[..., Any]) -> dict[str, Any]:
    _, schema = parameters_of(function)
    (only,) = schema["properties"].values()
    return only  # type: ignore[no-any-return]


def takes(kind: Any) -> Callable[..., Any]:
    def function(it: Any) -> None: ...

    function.__annotations__["it"] = kind
    return function


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str, {"type": "string"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (Literal[1, 2], {"type": "integer", "enum": [1, 2]}),
        (Literal["a"], {"type": "string", "const": "a"}),
        (Annotated[int, Field(ge=0, description="n")],
         {"type": "integer", "minimum": 0, "description": "n"}),
        (Annotated[str, "a city"], {"type": "string", "description": "a city"}),
        (Any, {}),
    ],
)  # fmt: skip
def test_types_map_to_what_they_are(kind: Any, schema: dict[str, Any]) -> None:
    assert schema_of_one(takes(kind)) == schema


@pytest.mark.parametrize(("kind", "name"), [(Unit, "Unit"), (Level, "Level"), (Node, "Node")])
def test_what_a_schema_refers_to_is_in_it(kind: Any, name: str) -> None:
    _, schema = parameters_of(takes(list[kind]))
    assert schema["properties"]["it"]["items"] == {"$ref": f"#/$defs/{name}"}
    assert list(schema["$defs"]) == [name]


def test_two_models_of_one_name_stay_apart() -> None:
    other = type("Node", (BaseModel,), {"__annotations__": {"x": int}})

    def both(a: Node, b: Any) -> None: ...

    both.__annotations__["b"] = other
    _, schema = parameters_of(both)
    assert len(schema["$defs"]) == 2
    assert schema["properties"]["a"] != schema["properties"]["b"]


def test_parameters_may_be_called_anything() -> None:
    def odd(_hidden: int, schema: int, title: str, model_config: int) -> None: ...

    _, schema = parameters_of(odd)
    assert schema["required"] == ["_hidden", "schema", "title", "model_config"]
    assert schema["properties"]["title"] == {"type": "string"}


def test_what_takes_any_number_of_arguments_is_left_out() -> None:
    def open_ended(a: int, *args: int, **kwargs: str) -> None: ...

    _, schema = parameters_of(open_ended)
    assert schema == {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
    }


def test_a_function_without_parameters_has_an_empty_schema() -> None:
    def now() -> None: ...

    assert parameters_of(now) == ("", {"type": "object", "properties": {}})


def test_defaults_are_told_as_json_where_they_are_some() -> None:
    marker = object()

    def convert(
        unit: Unit = Unit.CELSIUS,
        node: Node | None = None,
        key: Any = marker,
        size: int = Field(3, ge=1, description="how big"),
        must: int = Field(ge=1),
    ) -> None: ...

    _, schema = parameters_of(convert)
    assert schema["required"] == ["must"]
    assert schema["properties"]["unit"] == {"$ref": "#/$defs/Unit", "default": "c"}
    assert schema["properties"]["node"]["default"] is None
    assert schema["properties"]["key"] == {}
    assert schema["properties"]["size"] == {
        "type": "integer",
        "minimum": 1,
        "description": "how big",
        "default": 3,
    }


def test_field_speaks_louder_than_the_docstring() -> None:
    def say(
        a: Annotated[str, Field(description="field")], b: Annotated[str, "note"], c: str
    ) -> None:
        """Say.

        Args:
            a: doc
            b: doc
            c: doc
        """

    _, schema = parameters_of(say)
    told = [inner["description"] for inner in schema["properties"].values()]
    assert told == ["field", "note", "doc"]


class Shop:
    def buy(self, item: str) -> None:
        """Buy it."""

    def __call__(self, item: str) -> None:
        """Call it."""


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    ("function", "description"),
    [
        (Shop().buy, "Buy it."),
        (Shop(), "Call it."),
        (functools.partial(Shop.buy, Shop()), "Buy it."),
        (decorated(Shop().buy), "Buy it."),
    ],
)
def test_anything_that_can_be_called_will_do(
    function: Callable[..., Any], description: str
) -> None:
    told, schema = parameters_of(function)
    assert (told, list(schema["properties"])) == (description, ["item"])


def test_what_a_partial_has_filled_in_is_left_out() -> None:
    def query(connection: Shop, text: str) -> None: ...

    _, schema = parameters_of(functools.partial(query, connection=Shop()))
    assert list(schema["properties"]) == ["text"]


def test_a_return_type_that_is_not_there_does_not_matter() -> None:
    def price(item: str) -> Decimal: ...  # type: ignore[empty-body]

    assert schema_of_one(price) == {"type": "string"}


def test_a_type_that_is_not_there_is_the_callers_mistake() -> None:
    def pay(amount: Decimal) -> None: ...

    with pytest.raises(ConfigError) as caught:
        parameters_of(pay)
    assert "import or define it at the top of the module" in str(caught.value)


@pytest.mark.parametrize("kind", [Shop, type, Callable[[], int]])
def test_a_type_that_json_cannot_say_is_the_callers_mistake(kind: Any) -> None:
    with pytest.raises(ConfigError, match="function"):
        parameters_of(takes(kind))
