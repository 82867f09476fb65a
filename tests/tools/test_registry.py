"""Tools by name, and the calls that cannot be run."""

from __future__ import annotations

import asyncio

import pytest

from flashlite import ConfigError, Flashlite, ToolCall, ToolRegistry, ToolResult, tool
from flashlite.testing import ScriptedProvider

from ..virtual_time import virtual_time


@tool
async def add(a: int, b: int = 1) -> int:
    return a + b


def double(n: int) -> int:
    return n * 2


def test_a_registry_keeps_tools_in_their_order() -> None:
    registry = ToolRegistry([add])
    made = registry.register(double)
    assert (registry.tools, list(registry), len(registry)) == ([add, made], [add, made], 2)
    assert (registry.names, repr(registry)) == (["add", "double"], "ToolRegistry(add, double)")
    assert (registry.get("add"), registry.get("nope"), "add" in registry) == (add, None, True)
    assert registry.to_openai() == [add.to_openai(), made.to_openai()]
    assert registry.unregister("add") is add
    assert registry.names == ["double"]
    assert ToolRegistry.of(registry) is registry


def test_what_is_no_list_of_tools_of_different_names_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is a tool named 'add' already"):
        ToolRegistry([add, add])
    with pytest.raises(ConfigError, match="there is no tool named 'sub'; there are: add"):
        ToolRegistry([add]).unregister("sub")
    with pytest.raises(ConfigError, match="tools is a list of tools; got Tool"):
        ToolRegistry(add)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a tool is a function"):
        ToolRegistry([{"type": "function"}])  # type: ignore[list-item]


async def test_tools_are_run_by_name() -> None:
    registry = ToolRegistry([add])
    expected = ToolResult(content=3, name="add")
    assert await registry.execute("add", '{"a": 1, "b": 2}') == expected
    assert await registry.execute(name="add", arguments={"a": 1, "b": 2}) == expected


async def test_a_call_that_cannot_be_run_is_an_error_for_the_model() -> None:
    registry = ToolRegistry([add])
    assert await registry.answer(ToolCall("1", "sub", "{}")) == ToolResult(
        error="there is no tool named 'sub'; there are: add", name="sub", call_id="1"
    )
    cut = await registry.answer(ToolCall("2", "add", '{"a": 1'))
    assert cut.error is not None
    assert cut.error.startswith("the arguments are not valid JSON (")
    assert (cut.name, cut.call_id) == ("add", "2")
    assert (
        await ToolRegistry().execute("x")
    ).error == "there is no tool named 'x'; there are: none"


@virtual_time
async def test_a_limit_holds_for_tools_that_have_none() -> None:
    @tool
    async def slow() -> None:
        await asyncio.sleep(60)

    result = await ToolRegistry([slow]).execute("slow", limit=3)
    assert result.error == "it took longer than 3 s"


@pytest.mark.parametrize("tools", [[add], ToolRegistry([add]), [add.to_openai()]], ids=repr)
async def test_a_client_takes_tools_as_they_are(tools: ToolRegistry) -> None:
    provider = ScriptedProvider(["ok"])
    await Flashlite("m", provider=provider).complete("Hi", tools=tools)
    assert provider.requests[0].tools == (add.to_openai(),)
