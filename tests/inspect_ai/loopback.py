"""A server on loopback that answers in any dialect, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

from flashlite.loop_thread import LoopThread

MODELS = {
    "openai": "openai/gpt-4o",
    "responses": "openai/gpt-5",
    "anthropic": "anthropic/claude-opus-4-6",
    "google": "google/gemini-3-pro-preview",
    "bedrock": "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
}
"""A model for each dialect, by flashlite's name."""

ANSWERS: dict[str, Any] = {
    "openai": {
        "id": "a",
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    },
    "responses": {
        "id": "a",
        "model": "gpt-5",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "ok"}]}],
        "usage": {"input_tokens": 10, "output_tokens": 2},
    },
    "anthropic": {
        "id": "a",
        "model": "claude-opus-4-6",
        "content": [{"type": "text", "text": "ok"}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 3,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 2,
            "output_tokens": 2,
        },
    },
    "google": {
        "candidates": [{"content": {"parts": [{"text": "ok"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2},
        "modelVersion": "gemini-3-pro-preview",
    },
    "bedrock": {
        "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12},
    },
}
"""The shortest answer in each dialect."""

Answer = Callable[[Any], tuple[int, dict[str, str], Any] | None]


class Loopback:
    """Answers every POST; `answer` may look at the body and gives status, headers and JSON.

    A list of JSON values is sent as a stream of server-sent events; to None, nothing ever comes.
    """

    base_url: str

    def __init__(self, answer: Answer | Any) -> None:
        self._answer: Answer = answer if callable(answer) else lambda _: (200, {}, answer)
        self._thread = LoopThread("loopback")
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        self._runner, port = self._thread.run_sync(self._start())
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run_sync(self._runner.cleanup())
        self._thread.stop()

    async def _start(self) -> tuple[web.AppRunner, int]:
        application = web.Application(client_max_size=2**26)
        application.router.add_post("/{path:.*}", self._serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        told = self._answer(body)
        if told is None:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")
        status, headers, answer = told
        if not isinstance(answer, list):
            return web.json_response(answer, status=status, headers=headers)
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in answer)
        return web.Response(
            text=lines, status=status, headers=headers, content_type="text/event-stream"
        )
