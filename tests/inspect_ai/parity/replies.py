"""What the server answers, in OpenAI's dialect."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """One answer of the server."""

    body: Any
    status: int = 200


USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


def completion(
    *messages: dict[str, Any], finish: str = "stop", logprobs: Any = None, **more: Any
) -> Reply:
    """Return an answer with these messages as its choices."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", **message},
            "finish_reason": finish,
            "logprobs": logprobs,
        }
        for index, message in enumerate(messages)
    ]
    told = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024"}
    return Reply({**told, "choices": choices, "usage": USAGE, **more})


def said(text: str | None, **more: Any) -> Reply:
    return completion({"content": text, **more})


def called(*calls: tuple[str, dict[str, Any] | str], content: str | None = None) -> Reply:
    """Return an answer that calls functions; arguments are an object, or a text as it stands."""
    listed = [
        {"id": f"call-{n}", "type": "function", "function": {"name": name, "arguments": _text(a)}}
        for n, (name, a) in enumerate(calls)
    ]
    return completion({"content": content, "tool_calls": listed}, finish="tool_calls")


def refused(status: int, message: str, *, code: str | None, type: str) -> Reply:
    """Return an error."""
    return Reply({"error": {"message": message, "type": type, "param": None, "code": code}}, status)


def chunks(reply: Reply) -> list[Any]:
    """Return an answer as a stream: all of it at once, then what it used."""
    whole = {**reply.body, "object": "chat.completion.chunk"}
    choices = [{**one, "delta": one["message"]} for one in whole["choices"]]
    for choice in choices:
        del choice["message"]
    usage = whole.pop("usage")
    return [{**whole, "choices": choices}, {**whole, "choices": [], "usage": usage}]


def _text(arguments: dict[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
