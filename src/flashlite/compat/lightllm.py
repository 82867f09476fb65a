"""The synchronous LightLLM client: OpenAI's `client.chat.completions.create` on this engine.

client = LightLLMClient(api_key="...", base_url="http://localhost:8000")
response = client.chat.completions.create(model="qwen", messages=messages, tools=tools)
name = response.choices[0].message.tool_calls[0]["function"]["name"]  # or .function.name

Unlike `Flashlite` it has its own sampling defaults (`presence_penalty=1.1`, `top_k=50`, …), and the
content of an answer keeps the text of its tool calls, because code written for it sends back the
content without the calls. A history that has both is sent with only the calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

from ..client import Flashlite
from ..errors import APIConnectionError, APITimeoutError, CompletionError
from ..middleware import RetryConfig
from ..providers.text_tool_calls import OPEN, pieces_of
from ..sync import iterate_sync
from ..types import (
    Choice,
    CompletionResponse,
    Message,
    MessageInput,
    StreamEvent,
    StreamEventType,
    ToolCall,
    normalize_messages,
)
from .chunks import chunks
from .record import Record

APIError = CompletionError
"""Any failure of a call; APIConnectionError and APITimeoutError are unrelated subclasses of it."""

__all__ = ["APIConnectionError", "APIError", "APITimeoutError", "LightLLMClient"]


class LightLLMClient:
    """A client of a LightLLM server, or of any server that speaks OpenAI's dialect.

    `base_url` may omit its `/v1`; the default is LIGHTLLM_BASE_URL, else port 8000 of this machine.
    `timeout` is seconds in total. Send requests with `chat.completions.create(...)`.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 600.0,
        max_retries: int = 2,
    ) -> None:
        engine = Flashlite(
            api_key=api_key,
            base_url=_versioned(base_url),
            timeout=timeout,
            retry=RetryConfig(max_attempts=max_retries + 1),
        )
        self.chat = SimpleNamespace(completions=Completions(engine))


class Completions:
    """The methods of `client.chat.completions`."""

    def __init__(self, engine: Flashlite) -> None:
        self._engine = engine

    def create(
        self,
        *,
        model: str,
        messages: MessageInput,
        temperature: float = 0.6,
        top_p: float = 0.95,
        max_tokens: int = 10000,
        stop: str | Sequence[str] | None = None,
        presence_penalty: float = 1.1,
        logprobs: bool = False,
        tools: Iterable[Mapping[str, Any]] | None = None,
        top_k: int = 50,
        repetition_penalty: float = 1.0,
        extra_body: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Record | Iterator[Record]:
        """Ask for one answer; `options` are further arguments of `Flashlite.complete`.

        With `stream=True` it returns an iterator of chunks; with `stream_options={"include_usage":
        True}` the usage follows them.

        Raises APIError if the request fails, ConfigError if it is invalid as written.
        """
        options |= {
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
            "presence_penalty": presence_penalty,
            "logprobs": logprobs,
            "tools": tools,
            "top_k": top_k,
            "stop": stop,
            "extra_body": {"repetition_penalty": repetition_penalty, **(extra_body or {})},
        }
        return self._ask(messages, model, options)

    def _ask(
        self, messages: MessageInput, model: str, options: dict[str, Any]
    ) -> Record | Iterator[Record]:
        streams, stream_options = options.pop("stream", False), options.pop("stream_options", None)
        sent = [_as_sent(message) for message in normalize_messages(messages)]
        name = f"lightllm/{model}"
        if not streams:
            return _answer(self._engine.complete_sync(sent, model=name, **options))
        events = _with_calls_written(self._engine.stream(sent, model=name, **options))
        include_usage = bool((stream_options or {}).get("include_usage"))
        return iterate_sync(_chunks(events, model=model, include_usage=include_usage))


def _versioned(base_url: str | None) -> str | None:
    if base_url is None:
        return None
    base_url = base_url.rstrip("/")
    return base_url if re.search(r"/v\d+$", base_url) else f"{base_url}/v1"


def _as_sent(message: Message) -> Message:
    """Return a message of a history without duplicate call texts or empty `tool_calls`."""
    if not message.get("tool_calls"):
        return Message({key: value for key, value in message.items() if key != "tool_calls"})
    text = message.get("content")
    if not isinstance(text, str) or OPEN not in text:
        return message
    said = "".join(piece for piece in pieces_of(text) if isinstance(piece, str))
    return Message({**message, "content": said or None})


async def _chunks(
    events: AsyncGenerator[StreamEvent], *, model: str, include_usage: bool
) -> AsyncGenerator[Record]:
    async with aclosing(chunks(events, model=model, include_usage=include_usage)) as pieces:
        async for piece in pieces:
            yield Record.of(piece)


async def _with_calls_written(
    events: AsyncGenerator[StreamEvent],
) -> AsyncGenerator[StreamEvent]:
    """Add the text of tool calls, so that the pieces add up to a whole answer's content."""
    last = "\n"
    async with aclosing(events):
        async for event in events:
            yield event
            if event.type is StreamEventType.TOKEN:
                last = event.data
            elif event.type is StreamEventType.TOOL_CALL_END:
                call = _written(event.data)
                text = call if last.endswith("\n") else f"\n{call}"
                yield StreamEvent(StreamEventType.TOKEN, text, index=event.index)
                last = call


def _answer(response: CompletionResponse) -> Record:
    usage = response.usage
    answer: Record = Record.of(
        {
            "id": response.id,
            "object": "chat.completion",
            "model": response.model,
            "choices": [_choice(choice) for choice in response.choices],
            "usage": usage
            and {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
            },
        }
    )
    return answer


def _choice(choice: Choice) -> dict[str, Any]:
    calls = choice.message.get("tool_calls")
    message = {"tool_calls": calls, **choice.message}
    if calls:
        message["content"] = _with_written_calls(choice.message)
    return {
        "index": choice.index,
        "message": message,
        "finish_reason": choice.finish_reason,
        "logprobs": choice.logprobs,
    }


def _with_written_calls(message: Message) -> str:
    written = map(_written, message.tool_calls or ())
    said = message.text.rstrip("\n")
    return "\n".join([said, *written] if said else written)


def _written(call: ToolCall) -> str:
    """Return a call as a model writes it; malformed arguments stay as they were written."""
    name, arguments = json.dumps(call.name, ensure_ascii=False), call.arguments_json or "{}"
    return f'<tool_call>\n{{"name": {name}, "arguments": {arguments}}}\n</tool_call>'
