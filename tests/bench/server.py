"""A loopback server that costs as little as possible: canned answers, HTTP/1.1 keep-alive.

Run as a process of its own, it prints its port, and ends when its standard input is closed.

    POST /v1/chat/completions          an answer, or with "stream": true its chunks, one by one
    POST /burst/v1/chat/completions    the chunks of a stream all at once
    POST /anthropic/...                an answer of Anthropic's
    POST /gemini/...                   an answer of Gemini's
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

CHUNKS = 50
ANSWER = "The quick brown fox jumps over the lazy dog. " * 4
CHUNK_EVERY = 0.03  # seconds between chunks; the slowest client takes 1.5 ms for one

_BACKLOG = 4096  # 500 clients connect at the same moment


def main() -> None:
    """Serve until standard input is closed."""
    asyncio.run(_serve())


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=_BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


class _Connection(asyncio.Protocol):
    """One client's connection; it parses as little of a request as it can."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = b""
        self._next_chunk: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next_chunk is not None:
            self._next_chunk.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            whole = end + 4 + _length(head)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if b'"stream":true' not in body and b'"stream": true' not in body:
            self._transport.write(_WHOLE[head.split(b"/", 2)[1]])
        elif head.startswith(b"post /burst"):
            self._transport.write(_STREAM_HEAD + b"".join(_FRAMES))
        else:
            self._transport.write(_STREAM_HEAD)
            self._send_chunk(iter(_FRAMES))

    def _send_chunk(self, frames: Iterator[bytes]) -> None:
        frame = next(frames, None)
        if frame is not None:
            self._transport.write(frame)
            loop = asyncio.get_running_loop()
            self._next_chunk = loop.call_later(CHUNK_EVERY, self._send_chunk, frames)


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _head(*lines: str) -> bytes:
    limits = {
        f"x-ratelimit-{what}-{of}": value
        for of in ("requests", "tokens")
        for what, value in (("limit", "1000000000"), ("remaining", "999999999"), ("reset", "1ms"))
    }
    common = (
        "x-request-id: req_0123456789abcdef0123456789abcdef",
        "openai-processing-ms: 1",
        "openai-version: 2020-10-01",
        *(f"{name}: {value}" for name, value in limits.items()),
    )
    return "\r\n".join(("HTTP/1.1 200 OK", *lines, *common, "", "")).encode()


_IDENTITY = {
    "id": "chatcmpl-0123456789abcdef0123456789",
    "created": 1767225600,
    "model": "gpt-4o-mini-2024-07-18",
    "system_fingerprint": "fp_0123456789",
}
_USAGE = {
    "prompt_tokens": 140,
    "completion_tokens": CHUNKS,
    "total_tokens": 140 + CHUNKS,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


_ANTHROPICS = {
    "id": "msg_0123456789",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": ANSWER}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 140, "output_tokens": CHUNKS},
}
_GEMINIS = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": ANSWER}]},
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 140,
        "candidatesTokenCount": CHUNKS,
        "totalTokenCount": 140 + CHUNKS,
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "0123456789",
}


def _openais() -> dict[str, Any]:
    message = {"role": "assistant", "content": ANSWER}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {"object": "chat.completion", **_IDENTITY, "choices": [choice], "usage": _USAGE}


def _whole(answer: Any) -> bytes:
    body = json.dumps(answer).encode()
    return _head("content-type: application/json", f"content-length: {len(body)}") + body


def _frames() -> list[bytes]:
    """Return the pieces of a stream, which are written one by one."""
    text = [_event({"role": "assistant", "content": "Once"})]
    text += [_event({"content": f" word{n}"}) for n in range(1, CHUNKS)]
    usage = {"object": "chat.completion.chunk", **_IDENTITY, "choices": [], "usage": _USAGE}
    end = (_event({}, "stop"), _frame(json.dumps(usage)), _frame("[DONE]"), b"0\r\n\r\n")
    return [*text, b"".join(end)]


def _event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = {"object": "chat.completion.chunk", **_IDENTITY, "choices": [choice], "usage": None}
    return _frame(json.dumps(chunk))


def _frame(text: str) -> bytes:
    event = f"data: {text}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


_WHOLE = {
    b"v1": _whole(_openais()),
    b"anthropic": _whole(_ANTHROPICS),
    b"gemini": _whole(_GEMINIS),
}
_FRAMES = _frames()
_STREAM_HEAD = _head("content-type: text/event-stream", "transfer-encoding: chunked")

if __name__ == "__main__":
    main()
