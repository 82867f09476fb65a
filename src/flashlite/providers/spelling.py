"""Building requests: shared by the dialects that do not use OpenAI's form."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from ..errors import ConfigError
from ..types import Message


def merged(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Add a caller's own fields to a body; nested objects are merged."""
    for name, value in extra.items():
        known: Any = body.get(name)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        body[name] = {**known, **value} if both else value
    return body


def opened(uri: str) -> tuple[str, str]:
    """Return the media type of a data URI ("" if none) and its base64 data."""
    head, comma, body = uri.removeprefix("data:").partition(",")
    if not comma:
        raise ConfigError(f"a data URI reads data:image/png;base64,...; got {uri!r:.80}")
    media_type, *options = head.lower().split(";")
    if options[-1:] != ["base64"]:
        body = b64encode(unquote_to_bytes(body)).decode()
    return media_type.strip(), body


_PARTS = ("audio_url", "file", "image_url", "input_audio", "refusal", "text", "video_url", None)


def understood(answer: Message) -> Any:
    """Return an answer's content, else its refusal, without parts specific to its provider.

    Such parts are Claude's marks and server tools (see `anthropic/blocks.py`).
    """
    content = answer.content or answer.get("refusal")
    if content is None or isinstance(content, str):
        return content
    return [part for part in content if part.get("type") in _PARTS]


def called_tools(messages: Iterable[Message]) -> list[str]:
    """Return the names of the tools called in a history, each once.

    Some APIs refuse a history with calls of tools that the request does not name.
    """
    calls = (call for message in messages for call in message.tool_calls or ())
    return list(dict.fromkeys(call.name for call in calls))


GONE = "No longer available: do not call it."
"""The description of a tool that is listed only because it was called earlier."""


def named_tool(choice: Any) -> str:
    """Return the name of the single tool in a `tool_choice` of OpenAI's form."""
    try:
        name: str = choice["function"]["name"]
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"tool_choice is auto, none, required or a tool's name; got {choice!r:.80}"
        ) from error
    return name


def wanted_schema(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a `response_format` that has one."""
    try:
        schema: Mapping[str, Any] = wanted["json_schema"]["schema"]
    except (KeyError, TypeError) as error:
        raise ConfigError(
            'response_format is {"type": "json_schema", "json_schema": {"name": ..., "schema": '
            f"...}}}}, or the schema itself; got {dict(wanted)!r:.80}"
        ) from error
    return schema
