"""llm-client's first API: `OpenAIClient`, whose answers are dicts.

    client = OpenAIClient(model="gpt-5-nano", cache_backend=None)
    response = await client.get_response(messages=[{"role": "user", "content": "Hello!"}])
    print(response["output"])

The rest of llm-client's API is in `flashlite` itself, under the same names.
"""

from __future__ import annotations

from typing import Any

from ..errors import CompletionError
from ..models import ModelProfile
from ..presets import OpenAIProvider
from ..types import CompletionResponse, MessageInput

__all__ = ["OpenAIClient"]


class OpenAIClient:
    """A client of OpenAI that returns dicts; takes the arguments of `OpenAIProvider`."""

    def __init__(self, model: str | ModelProfile, **options: Any) -> None:
        self._provider = OpenAIProvider(model, **options)

    async def get_response(self, messages: MessageInput, **options: Any) -> dict[str, Any]:
        """Ask for one answer; see `OpenAIProvider` for the options.

        A failed call is returned too: `output` is None, `error` is the reason, and `status` is the
        server's, or 0 if none answered. A call that is invalid as written raises.
        """
        try:
            return _answered(await self._provider.complete(messages, **options))
        except CompletionError as error:
            return _failed(error, getattr(error.usage, "to_dict", dict)())

    async def close(self) -> None:
        """Close this event loop's connections; the client stays usable."""
        await self._provider.close()


def _answered(response: CompletionResponse) -> dict[str, Any]:
    return {
        "output": response.content,
        "tool_calls": response.message.get("tool_calls"),
        "reasoning": response.reasoning,
        "finish_reason": response.finish_reason,
        "model": response.model,
        "usage": response.usage.to_dict() if response.usage else {},
        "cached": response.cached,
        "status": response.status,
        "error": None,
    }


def _failed(error: CompletionError, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "output": None,
        "tool_calls": None,
        "reasoning": None,
        "finish_reason": None,
        "model": error.model,
        "usage": usage,
        "cached": False,
        "status": error.status_code or 0,
        "error": str(error),
    }
