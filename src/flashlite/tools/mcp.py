"""Tools of servers that speak the Model Context Protocol."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import APIConnectionError, APITimeoutError, ConfigError, FlashliteError
from ..types import Part, audio_part, file_part, image_part, text_part
from .result import ToolResult
from .tool import Tool

if TYPE_CHECKING:
    from mcp import Client

log = logging.getLogger("flashlite.tools")


@asynccontextmanager
async def mcp_tools(
    server: str | Sequence[str] | Any,
    *,
    env: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    prefix: str = "",
    connect_timeout: float = 30.0,
) -> AsyncIterator[list[Tool[..., Any]]]:
    """Connect to an MCP server and yield its tools, which work until the block ends.

        async with mcp_tools("uvx mcp-server-time") as tools:
            result = await Agent(client=client, tools=tools).run("What time is it in Tokyo?")

    `server` is a command (text or list) to start and talk to over its standard input and output,
    the URL of a server that speaks Streamable HTTP, or anything that `mcp.Client` takes. A command
    inherits only a few environment variables; `env` adds to them. `headers` are sent to a URL.
    `prefix` is put before the tools' names, to tell those of several servers apart. Connecting and
    listing the tools take at most `connect_timeout` seconds.

    Raises ConfigError if the command cannot be started, APIConnectionError if no MCP server
    answers, APITimeoutError if that takes too long.
    """
    closing = asyncio.Event()
    ready: asyncio.Future[list[Tool[..., Any]]] = asyncio.get_running_loop().create_future()
    # In a task of its own, because the client's task group would wrap an error of the block in an
    # ExceptionGroup, and has to be entered and left in the same task.
    serving = asyncio.create_task(_serve(_Server(server, env, headers), prefix, ready, closing))
    waited_for: set[asyncio.Future[Any]] = {serving, ready}
    try:
        await asyncio.wait(waited_for, timeout=connect_timeout, return_when="FIRST_COMPLETED")
        if not ready.done():
            raise _failure(server, serving, connect_timeout)
        yield ready.result()
    finally:
        closing.set()
        if not ready.done():
            serving.cancel()
        await asyncio.wait({serving})
        if ready.done() and (error := serving.exception()) is not None:
            log.warning("the connection to the MCP server %s broke: %r", _name_of(server), error)


class _Server(NamedTuple):
    address: Any
    env: Mapping[str, str] | None
    headers: Mapping[str, str] | None


async def _serve(
    server: _Server,
    prefix: str,
    ready: asyncio.Future[list[Tool[..., Any]]],
    closing: asyncio.Event,
) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(await _client(server, stack))
        ready.set_result(await _tools(client, prefix))
        await closing.wait()


async def _client(server: _Server, stack: AsyncExitStack) -> Client:
    try:
        from httpx2 import AsyncClient
        from mcp import Client, StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client
    except ImportError as error:
        raise ConfigError("tools of MCP servers need: pip install 'flashlite[mcp]'") from error
    address, env, headers = server
    if isinstance(address, str) and address.startswith(("http://", "https://")):
        # No timeout here: the tools' own limits say how long a call may take.
        http = AsyncClient(headers=dict(headers or {}), timeout=None)
        http = await stack.enter_async_context(http)
        return Client(streamable_http_client(address, http_client=http))
    if isinstance(address, str | list | tuple):
        command, *arguments = _command(address)
        given = dict(env) if env is not None else None
        return Client(StdioServerParameters(command=command, args=arguments, env=given))
    return Client(address)


def _command(server: str | Sequence[str]) -> list[str]:
    words = shlex.split(server) if isinstance(server, str) else list(server)
    if not words:
        raise ConfigError("an MCP server is a command or a URL; got nothing")
    return words


async def _tools(client: Client, prefix: str) -> list[Tool[..., Any]]:
    tools: list[Tool[..., Any]] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [
            _tool(client, one.name, prefix, one.description or "", one.input_schema)
            for one in page.tools
        ]
        cursor = page.next_cursor
        if cursor is None:
            return tools


def _tool(
    client: Client, name: str, prefix: str, description: str, parameters: Mapping[str, Any]
) -> Tool[..., Any]:
    async def call(**arguments: Any) -> ToolResult:
        answer = await client.call_tool(name, arguments)
        parts = [_part(block) for block in answer.content]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        if answer.is_error:
            return ToolResult(error="\n".join(texts) or "the server said no more")
        if not parts:
            return ToolResult(content=answer.structured_content)
        return ToolResult(content="\n".join(texts) if len(texts) == len(parts) else parts)

    # MCP allows dots, slashes and 128 characters in a name; no provider does.
    allowed = re.sub(r"[^a-zA-Z0-9_-]", "_", prefix + name)[:64]
    return Tool(call, name=allowed, description=description, parameters=parameters)


def _part(block: Any) -> Part:
    """Return a block of a result as a part of a message; other kinds are named in a text."""
    if block.type == "text":
        return text_part(block.text)
    if block.type == "image":
        return image_part(_uri(block.mime_type, block.data))
    if block.type == "audio":
        return _audio(block.mime_type, block.data)
    if block.type == "resource":
        return _resource(block.resource)
    return text_part(f"{block.name}: {block.uri}")


def _audio(mime_type: str, data: str) -> Part:
    match mime_type.removeprefix("audio/"):
        case "wav" | "x-wav":
            return audio_part(data, format="wav")
        case "mpeg" | "mp3":
            return audio_part(data, format="mp3")
    return text_part(f"[sound of type {mime_type}]")


def _resource(resource: Any) -> Part:
    text = getattr(resource, "text", None)
    if text is not None:
        return text_part(text)
    kind = resource.mime_type or "application/octet-stream"
    uri = _uri(kind, resource.blob)
    if kind.startswith("image/"):
        return image_part(uri)
    return file_part(file_data=uri, filename=str(resource.uri).rpartition("/")[2] or "file")


def _uri(mime_type: str, data: str) -> str:
    return f"data:{mime_type};base64,{data}"


def _failure(server: Any, serving: asyncio.Task[None], limit: float) -> FlashliteError:
    """Return why there is no connection, as a flashlite error."""
    name, error = _name_of(server), serving.exception() if serving.done() else None
    if error is None:
        return APITimeoutError(f"the MCP server {name} was not ready after {limit:g} s")
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FlashliteError):
        return error
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return ConfigError(f"the MCP server {name} cannot be started: {error.strerror or error}")
    told = str(error).replace(str(server), name)
    return APIConnectionError(f"no MCP server answers at {name}: {told}")


def _name_of(server: Any) -> str:
    """Return a server's name for errors, without arguments or a query, which may hold secrets."""
    if isinstance(server, str) and server.startswith(("http://", "https://")):
        scheme, _, rest = server.partition("://")
        host, slash, path = rest.partition("?")[0].partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    if isinstance(server, str | list | tuple):
        return next(iter(_command(server)))
    return type(server).__name__
