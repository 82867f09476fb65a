"""The shortest media of each kind, and two tools."""

from __future__ import annotations

from inspect_ai.model import Content, ContentDocument, ContentImage, ContentText
from inspect_ai.tool import Tool, ToolError, tool

PNG = "data:image/png;base64,iVBORw0KGgo="
WAV = "data:audio/wav;base64,UklGRg=="
MP3 = "data:audio/mpeg;base64,SUQz"
PDF = "data:application/pdf;base64,JVBERi0="
MP4 = "data:video/mp4;base64,AAAA"


@tool
def add() -> Tool:
    async def execute(x: int, y: int = 1) -> int:
        """Add two numbers.

        Args:
            x: The first.
            y: The second.
        """
        return x + y

    return execute


@tool
def look() -> Tool:
    async def execute(kind: str) -> str | list[Content]:
        """Look at something.

        Args:
            kind: What it is.
        """
        if kind == "nothing":
            raise ToolError("there is nothing to see")
        if kind == "much":
            return "x" * 100
        seen = {
            "image": ContentImage(image=PNG),
            "document": ContentDocument(document=PDF, filename="a.pdf"),
        }
        return [ContentText(text="This is it."), seen[kind]]

    return execute
