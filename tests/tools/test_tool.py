"""A tool: what the model is told of a function, and what running it brings."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from flashlite import (
    ConfigError,
    Tool,
    ToolResult,
    sync_tool,
    tool,
    tool_from_function,
    tool_from_pydantic,
)

from ..virtual_time import now, virtual_time


@tool
async def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: the first
    """
    return a + b


ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": "the first"},
                "b": {"type": "integer", "default": 1},
            },
            "required": ["a"],
        },
    },
}


async def test_a_tool_is_called_like_its_function() -> None:
    assert await add(1, b=2) == 3
    assert sync_tool(str.upper, name="upper")("a") == "A"
    assert (add.name, add.__name__, add.__doc__) == ("add", "add", add.handler.__doc__)
    assert repr(add) == "Tool('add')"


def test_a_tool_says_itself_in_openais_form() -> None:
    assert add.to_openai() == add.to_dict() == ADD
    assert (add.description, add.parameters) == (
        ADD["function"]["description"],  # type: ignore[index]
        ADD["function"]["parameters"],  # type: ignore[index]
    )


def test_a_decorator_takes_options() -> None:
    @tool(name="plus", description="Plus.", strict=True, timeout=5)
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert add.timeout == 5
    assert add.to_openai()["function"] == {
        "name": "plus",
        "description": "Plus.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "integer"},
                "b": {"type": "integer", "description": "default: 1"},
            },
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        "strict": True,
    }


def test_every_way_to_make_a_tool_makes_the_same() -> None:
    made = [tool()(add.handler), tool_from_function(add.handler), Tool(handler=add.handler)]
    assert [one.to_openai() for one in made] == [ADD] * 3


def test_a_function_without_words_or_parameters() -> None:
    assert tool(lambda: 1, name="one").to_openai() == {
        "type": "function",
        "function": {"name": "one", "parameters": {"type": "object", "properties": {}}},
    }


def test_types_may_be_defined_below_the_function() -> None:
    assert paint.parameters["properties"]["colour"] == {"$ref": "#/$defs/Colour"}


@tool
def paint(colour: Colour) -> str:
    return colour.value


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tool("add"), "a tool is a function, below @staticmethod; got 'add'"),  # type: ignore[call-overload]
        (lambda: tool(staticmethod(print)), "a tool is a function, below @staticmethod; got"),
        (lambda: tool(lambda: 1), "a tool's name has letters, digits, _ and -, at most 64: "),
        (lambda: tool(print, name="a b"), "name=...; got 'a b'"),
        (lambda: tool(print, timeout=0), "a timeout is a positive number of seconds or None"),
        (lambda: tool(free, strict=True).to_openai(), "free have no strict form"),
    ],
)
def test_what_cannot_be_a_tool_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)


def free(anything: dict[str, Any]) -> None:
    raise AssertionError


class Database:
    def __init__(self, rows: list[str]) -> None:
        self.rows = rows

    kept = add

    @tool
    async def search(self, query: str) -> list[str]:
        """Search here."""
        return [row for row in self.rows if query in row]

    @staticmethod
    @tool
    def count(query: str) -> int:
        return len(query)


async def test_a_method_is_a_tool_of_its_instance() -> None:
    one, two = Database(["ab"]), Database(["b", "c"])
    assert (await one.search.execute(query="b")).content == ["ab"]
    assert (await two.search.execute(query="b")).content == ["b"]
    assert await two.search("c") == ["c"]
    assert one.search.to_openai()["function"] == {
        "name": "search",
        "description": "Search here.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}},
            "required": ["query"],
        },
    }
    assert one.search.parameters is two.search.parameters
    with pytest.raises(ConfigError, match="search is a method: take the tool from an instance"):
        Database.search.to_openai()


async def test_a_tool_that_a_class_only_keeps_is_no_method() -> None:
    assert Database([]).kept is add
    assert (await Database([]).count.execute(query="abc")).content == 3


async def test_running_gives_a_result() -> None:
    assert await add.execute(a=1) == ToolResult(content=2, name="add")
    assert await add.run({"a": 1, "b": 3}, call_id="7") == ToolResult(
        content=4, name="add", call_id="7"
    )


class Place(BaseModel):
    name: str


async def test_parameters_are_instances() -> None:
    @tool
    def visit(self: Path, place: Place, colour: Colour = Colour.RED) -> Any:
        return (self, place, colour)

    result = await visit.execute(self="a/b", place={"name": "Rome"}, colour="red")
    assert result.content == (Path("a/b"), Place(name="Rome"), Colour.RED)


async def test_arguments_that_do_not_fit_are_an_error_for_the_model() -> None:
    result = await add.execute(b="x")
    assert result == ToolResult(
        name="add",
        error="the arguments do not fit:\na: Field required\n"
        'b: Input should be a valid integer, unable to parse string as an integer; got "x"',
    )


async def test_what_a_tool_raises_is_an_error_for_the_model() -> None:
    failure = ValueError("no such city")

    @tool
    def weather() -> None:
        raise failure

    result = await weather.execute()
    assert result == ToolResult(name="weather", error="ValueError: no such city")
    assert result.exception is failure


@pytest.mark.parametrize("error", [StopIteration(), TimeoutError(), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [True, False])
async def test_odd_exceptions_are_errors_too(error: BaseException, is_async: bool) -> None:
    def raising() -> None:
        raise error

    async def raising_in_the_loop() -> None:
        raise error

    result = await Tool(raising_in_the_loop if is_async else raising, name="odd").execute()
    said = {
        StopIteration: "RuntimeError: coroutine raised StopIteration",
        TimeoutError: "TimeoutError",
        asyncio.CancelledError: "it was cancelled from inside",
    }
    assert result == ToolResult(name="odd", error=said[type(error)])


async def test_a_result_that_json_cannot_say_is_an_error() -> None:
    result = await tool(lambda: b"\xff", name="odd").execute()
    assert (result.content, result.success) == (None, False)


async def test_a_tool_may_make_its_own_result() -> None:
    own = tool(lambda: ToolResult(error="not today"), name="own")
    assert await own.run({}, call_id="1") == ToolResult(error="not today", name="own", call_id="1")


async def test_a_function_that_blocks_runs_in_a_thread_with_the_callers_context() -> None:
    user = ContextVar("user", default="nobody")
    user.set("ada")

    @tool
    def who() -> tuple[str, bool]:
        return user.get(), threading.current_thread() is threading.main_thread()

    assert (await who.execute()).content == ("ada", False)


async def test_coroutines_are_awaited_in_whatever_they_are_wrapped() -> None:
    class Adder:
        async def __call__(self, a: int) -> bool:
            return threading.current_thread() is threading.main_thread()

    for function in (partial(Adder(), 1), Adder(), lambda: Adder()(1)):
        arguments = {"a": 1} if isinstance(function, Adder) else {}
        result = await Tool(function, name="f").run(arguments)
        assert result == ToolResult(content=True, name="f")


@virtual_time
async def test_a_tool_that_takes_too_long_is_stopped() -> None:
    stopped = []

    @tool
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(now())

    assert await slow.run({}, limit=2) == ToolResult(name="slow", error="it took longer than 2 s")
    timed = tool(slow.handler, timeout=5)
    assert (await timed.run({}, limit=2)).error == "it took longer than 5 s"
    assert stopped == [2, 7]


@pytest.mark.parametrize("ends_by", ["timeout", "cancellation"])
async def test_nobody_waits_for_a_thread_that_hangs(ends_by: str) -> None:
    started, end = threading.Event(), threading.Event()

    @tool
    def hang() -> None:
        started.set()
        end.wait(10)

    try:
        if ends_by == "timeout":
            assert (await hang.run({}, limit=0.01)).error == "it took longer than 0.01 s"
            return
        task = asyncio.create_task(hang.execute())
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        assert not end.is_set()
        end.set()


class SearchParams(BaseModel):
    """Search for information."""

    query: str = Field(description="The search query")
    max_results: int = Field(default=10, ge=1, le=100)


async def test_a_tool_of_a_model_takes_its_fields() -> None:
    def do_search(query: str, max_results: int) -> str:
        return query * max_results

    search = tool_from_pydantic(SearchParams, do_search)
    assert search.to_openai()["function"] == {
        "name": "do_search",
        "description": "Search for information.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "The search query"},
                "max_results": {"type": "integer", "default": 10, "minimum": 1, "maximum": 100},
            },
            "required": ["query"],
        },
    }
    assert (await search.execute(query="a", max_results=2)).content == "aa"
    assert (await search.execute(query="a", max_results=0)).error == (
        "the arguments do not fit:\nmax_results: Input should be greater than or equal to 1; got 0"
    )


async def test_a_tool_of_a_schema_takes_what_fits_it() -> None:
    def calculate(**given: Any) -> Any:
        """Calculate."""
        return given

    schema = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    made = Tool(name="calc", parameters=schema, handler=calculate)
    assert made.to_openai()["function"] == {
        "name": "calc",
        "description": "Calculate.",
        "parameters": schema,
    }
    assert (await made.execute(x=1, y=2)).content == {"x": 1, "y": 2}
    assert (await made.execute(x="1")).error == (
        "the arguments do not fit:\nx: '1' is not of type 'number'"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=10,
)


@tool
async def anything(
    text: str, number: float = 0, place: Place | None = None, rest: Any = None
) -> Any:
    return [text, number, place]


FREE = Tool(handler=lambda **given: given, name="free", parameters={"type": "object"})
KEYS = st.sampled_from(["text", "number", "place"]) | st.text(st.characters())


@given(st.dictionaries(KEYS, JSON))
def test_any_arguments_give_a_result_or_an_error(arguments: dict[str, Any]) -> None:
    for one in (anything, FREE):
        result = asyncio.run(one.run(arguments))
        assert result.success == (result.exception is None)
        assert isinstance(result.to_message()["content"], str)
