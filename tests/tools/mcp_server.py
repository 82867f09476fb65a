"""A small MCP server over standard input and output, for `test_mcp`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("numbers")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool(name="files.read/all")
def read_all() -> str:
    """Read."""
    return Path(__file__).name


@server.tool()
def end() -> str:
    """End the process in the middle of a call."""
    os._exit(1)


if __name__ == "__main__":
    print("started", file=sys.stderr)  # noqa: T201 - a server may write there
    server.run("stdio")
