"""Tools of MCP servers: a real one in a process of its own, one over HTTP, and some in this one."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from flashlite import (
    APIConnectionError,
    APITimeoutError,
    ConfigError,
    RateLimitError,
    ToolResult,
    mcp_tools,
)

COMMAND = [sys.executable, str(Path(__file__).with_name("mcp_server.py"))]


async def test_the_tools_of_a_process_are_called() -> None:
    async with mcp_tools(COMMAND) as tools:
        named = {tool.name: tool for tool in tools}
        assert list(named) == ["add", "files_read_all", "end"]
        add = named["add"]
        assert (add.description, add.parameters["required"]) == ("Add two numbers.", ["a", "b"])
        assert await add.execute(a=1, b=2) == ToolResult(content="3", name="add")
        assert (await named["files_read_all"].execute()).content == "mcp_server.py"
        unfit = await add.execute(a="x", b=2)
        assert unfit.error == "the arguments do not fit:\na: 'x' is not of type 'integer'"
        both = await asyncio.gather(*(add.execute(a=n, b=n) for n in range(3)))
        assert [one.content for one in both] == ["0", "2", "4"]
    assert len(asyncio.all_tasks()) == 1


async def test_a_command_may_be_a_text() -> None:
    async with mcp_tools(" ".join(COMMAND), prefix="numbers_", env={"A": "b"}) as tools:
        assert tools[0].name == "numbers_add"
        assert (await tools[0].execute(a=1, b=1)).content == "2"


async def test_a_server_that_ends_makes_calls_fail_and_nothing_else() -> None:
    async with mcp_tools(COMMAND) as tools:
        ended = await tools[2].execute()
        assert not ended.success
        assert not (await tools[0].execute(a=1, b=1)).success
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(RateLimitError, match="slow down"):
        async with mcp_tools(COMMAND):
            raise RateLimitError("slow down")


def in_process() -> MCPServer:
    server, data = MCPServer("all"), base64.b64encode(b"x").decode()

    @server.tool()
    def mixed() -> CallToolResult:
        link = ResourceLink(name="doc", uri="file:///doc")
        text = TextResourceContents(uri="file:///a.txt", text="inside")
        image = BlobResourceContents(uri="file:///a.png", mime_type="image/png", blob=data)
        blob = BlobResourceContents(uri="file:///a.bin", blob=data)
        return CallToolResult(
            content=[
                TextContent(text="hello"),
                ImageContent(data=data, mime_type="image/png"),
                AudioContent(data=data, mime_type="audio/wav"),
                AudioContent(data=data, mime_type="audio/mpeg"),
                AudioContent(data=data, mime_type="audio/ogg"),
                EmbeddedResource(resource=text),
                EmbeddedResource(resource=image),
                EmbeddedResource(resource=blob),
                link,
            ]
        )

    @server.tool()
    def failing() -> CallToolResult:
        return CallToolResult(content=[TextContent(text="no such row")], is_error=True)

    @server.tool()
    def structured() -> CallToolResult:
        return CallToolResult(content=[], structured_content={"a": 1})

    return server


async def test_every_kind_of_result_is_read() -> None:
    png, uri = "data:image/png;base64,eA==", "data:application/octet-stream;base64,eA=="
    async with mcp_tools(in_process()) as tools:
        mixed, failing, structured = [await tool.execute() for tool in tools]
    assert mixed.content == [
        {"type": "text", "text": "hello"},
        {"type": "image_url", "image_url": {"url": png}},
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
        {"type": "text", "text": "[sound of type audio/ogg]"},
        {"type": "text", "text": "inside"},
        {"type": "image_url", "image_url": {"url": png}},
        {"type": "file", "file": {"file_data": uri, "filename": "a.bin"}},
        {"type": "text", "text": "doc: file:///doc"},
    ]
    assert failing == ToolResult(error="no such row", name="failing")
    assert structured.content == {"a": 1}


async def test_a_server_over_http_is_called() -> None:
    import uvicorn

    server = MCPServer("web")

    @server.tool()
    def add(a: int, b: int) -> int:
        return a + b

    keys: list[bytes] = []
    inner = server.streamable_http_app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        keys.extend(value for name, value in scope.get("headers", ()) if name == b"x-key")
        await inner(scope, receive, send)

    web = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as door:  # who comes early waits at it
        running = asyncio.create_task(web.serve(sockets=[door]))
        url = f"http://127.0.0.1:{door.getsockname()[1]}/mcp"
        async with mcp_tools(url, headers={"x-key": "k"}) as tools:
            assert (await tools[0].execute(a=2, b=3)).content == "5"
        web.should_exit = True
        await running
    assert set(keys) == {b"k"}


async def test_what_is_no_server_is_told() -> None:
    with pytest.raises(ConfigError, match="MCP server /no/such cannot be started: No such file"):
        async with mcp_tools(["/no/such", "--key=secret"]):
            raise AssertionError("unreachable")
    with pytest.raises(APIConnectionError, match="no MCP server answers at true") as ended:
        async with mcp_tools("true --key=secret"):
            raise AssertionError("unreachable")
    with pytest.raises(APIConnectionError, match=r"at http://127\.0\.0\.1:9/mcp: ") as refused:
        async with mcp_tools("http://me:secret@127.0.0.1:9/mcp?key=secret"):
            raise AssertionError("unreachable")
    with pytest.raises(ConfigError, match="a command or a URL; got nothing"):
        async with mcp_tools(""):
            raise AssertionError("unreachable")
    assert "secret" not in str(ended.value) + str(refused.value)
    assert len(asyncio.all_tasks()) == 1


async def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ConfigError, match=r"need: pip install 'flashlite\[mcp\]'"):
        async with mcp_tools(COMMAND):
            raise AssertionError("unreachable")


async def test_a_server_that_says_nothing_is_given_up() -> None:
    silent = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with pytest.raises(APITimeoutError, match=r"was not ready after 0\.2 s"):
        async with mcp_tools(silent, connect_timeout=0.2):
            raise AssertionError("unreachable")
    assert len(asyncio.all_tasks()) == 1


async def test_cancellation_ends_the_server(caplog: pytest.LogCaptureFixture) -> None:
    connected = asyncio.Event()

    async def use() -> Any:
        async with mcp_tools(COMMAND):
            connected.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(use())
    await connected.wait()
    task.cancel()
    with caplog.at_level(logging.WARNING, "flashlite.tools"):
        await asyncio.wait([task])
    assert (task.cancelled(), caplog.messages, len(asyncio.all_tasks())) == (True, [], 1)
