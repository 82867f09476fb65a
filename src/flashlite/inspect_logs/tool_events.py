"""A tool call and its result, as Inspect's ToolEvent (`inspect_ai/event/_tool.py`)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..tools import ToolResult
from ..types import ToolCall
from ..types.moments import timestamp
from .model_events import message_of
from .plain import plain


def to_tool_event(
    call: ToolCall | Mapping[str, Any], result: Any, seconds: float
) -> dict[str, Any]:
    """Return the event of a call that ends now; `result` may be an exception or a `ToolResult`."""
    call = call if isinstance(call, ToolCall) else ToolCall.from_dict(call)
    return {
        "event": "tool",
        "type": "function",
        "id": plain(str(call.id)),
        "function": plain(str(call.name)),
        "arguments": plain(call.arguments),
        "completed": timestamp(time.time()),
        "working_time": seconds,
        **_outcome(result),
    }


def _outcome(result: Any) -> dict[str, Any]:
    if isinstance(result, BaseException):
        kind = "timeout" if isinstance(result, TimeoutError) else "unknown"
        return {"result": "", "error": {"type": kind, "message": message_of(result)}}
    if not isinstance(result, ToolResult):
        result = ToolResult(content=result if isinstance(result, str) else plain(result))
    if result.error is not None:
        return {"result": "", "error": {"type": "unknown", "message": plain(result.error)}}
    return {"result": plain(result.to_string())}
