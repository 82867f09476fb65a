"""From our messages to Inspect's, as JSON (`inspect_ai/model/_chat_message.py`).

A message's id is derived from its content and from all messages before it. So when a history is
sent again with each turn, its messages keep their ids, and Inspect's viewer shows only the new
ones. Each sample has a seed of its own, because Inspect's tables have one row per id and log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from numbers import Number
from typing import Any

import orjson

from ..errors import ConfigError
from ..types import (
    REMOVED,
    CompletionResponse,
    Message,
    MessageInput,
    Part,
    ToolCall,
    normalize_messages,
    text_part,
    without_media,
)
from .plain import plain

_ROLES = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "tool": "tool",
}
_ID_BYTES = 11
_HASH_BYTES = 16
_PROOFS = {"thinking": "signature", "redacted_thinking": "data"}


class Attachments(dict[str, str]):
    """Media by their hash: each is stored once per sample."""

    def __init__(self, *, keep: bool = True) -> None:
        super().__init__()
        self._keep = keep

    def attach(self, uri: str) -> str:
        """Store a data URI and return its reference; any other URI is returned as it is."""
        if not uri.startswith("data:"):
            return uri
        if not self._keep:
            return REMOVED
        key = blake2b(uri.encode("utf-8", "replace"), digest_size=_HASH_BYTES).hexdigest()
        self[key] = uri
        return f"attachment://{key}"


def chained_ids(messages: Iterable[Mapping[str, Any]], before: str = "") -> list[str]:
    """Return an id for each message of a history."""
    ids: list[str] = []
    for message in messages:
        before = blake2b(before.encode() + _bytes(message), digest_size=_ID_BYTES).hexdigest()
        ids.append(before)
    return ids


def _bytes(message: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(message, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return repr(message).encode("utf-8", "backslashreplace")


def to_messages(
    given: Iterable[Mapping[str, Any] | str], *, attachments: Attachments, before: str = ""
) -> list[dict[str, Any]]:
    """Return a history in Inspect's form; strings are user messages, `before` seeds the ids."""
    messages = [m if isinstance(m, Mapping) else Message.user(str(m)) for m in given]
    return [
        to_message(message, id=id, attachments=attachments)
        for id, message in zip(chained_ids(messages, before), messages, strict=True)
    ]


def to_input(given: MessageInput, *, attachments: Attachments, before: str = "") -> Any:
    """Return a sample's input in Inspect's form: one text as a string, else as messages."""
    if isinstance(given, str):
        return plain(given)
    are_messages = isinstance(given, tuple) and all(isinstance(m, Message) for m in given)
    messages: Any = given if are_messages else normalize_messages(given)
    if len(messages) == 1 and isinstance(messages[0].get("content"), str):
        return plain(messages[0]["content"])
    return to_messages(messages, attachments=attachments, before=before)


def to_target(target: str | float | Sequence[str | float] | None) -> str | list[str]:
    """Return a sample's target in Inspect's form, "" for None."""
    if target is None or isinstance(target, str):
        return str(plain(target or ""))
    if isinstance(target, Number):
        return str(target)
    if isinstance(target, Mapping) or not isinstance(target, Iterable):
        raise ConfigError(f"target is a text, a number or a list of these; got {target!r:.80}")
    return [plain(str(text)) for text in target]


def check_about(*, metadata: Any, target: Any = None) -> None:
    """Raise ConfigError for a sample's metadata or target of the wrong type."""
    to_target(target)
    if not isinstance(metadata or {}, Mapping):
        raise ConfigError(f"metadata is a dict; got {metadata!r:.80}")


def check_outcome(response: Any, error: Any) -> None:
    """Raise ConfigError for a call's answer or error of the wrong type."""
    if not isinstance(response, CompletionResponse | str | None):
        raise ConfigError(f"an answer is a CompletionResponse or a text; got {response!r:.80}")
    if not isinstance(error, BaseException | None):
        raise ConfigError(f"an error is an exception; got {error!r:.80}")


def to_message(
    message: Mapping[str, Any], *, id: str, attachments: Attachments, model: str | None = None
) -> dict[str, Any]:
    """Return a message in Inspect's form; `model` is the author of an answer of this call."""
    role = _ROLES.get(str(message.get("role")), "user")
    spelled: dict[str, Any] = {"id": id, "role": role, "content": _content(message, attachments)}
    if role == "assistant":
        if calls := [to_call(call) for call in _calls(message)]:
            spelled["tool_calls"] = calls
        if model is not None:
            spelled |= {"model": model, "source": "generate"}
    elif role == "tool":
        spelled["tool_call_id"] = str(message.get("tool_call_id") or "")
        if message.get("name"):
            spelled["function"] = str(message["name"])
    if role != "tool" and message.get("name"):
        spelled["metadata"] = {"name": str(message["name"])}  # Inspect's messages have no names
    return spelled


def _calls(message: Mapping[str, Any]) -> list[ToolCall]:
    calls = plain(message.get("tool_calls"))
    return [
        ToolCall.from_dict(call)
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, dict) and isinstance(call.get("function") or call, dict)
    ]


def to_call(call: ToolCall) -> dict[str, Any]:
    """Return a tool call in Inspect's form."""
    spelled = {
        "id": str(call.id),
        "function": str(call.name),
        "arguments": plain(call.arguments),
        "type": "function",
    }
    return spelled | ({"parse_error": call.parse_error} if call.parse_error else {})


def text_of(content: str | Sequence[Mapping[str, Any]]) -> str:
    """Return the text of content in Inspect's form."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _content(message: Mapping[str, Any], attachments: Attachments) -> Any:
    content = message.get("content")
    reasoning, refusal = _reasoning(message), message.get("refusal")
    is_text = content is None or isinstance(content, str)
    if is_text and not reasoning and not refusal:
        return content or ""
    if is_text:
        content = [{"type": "text", "text": content}] if content else []
    given = content if isinstance(content, list | tuple) else [content]
    parts = [
        _part(part if isinstance(part, Mapping) else {"type": "text", "text": part}, attachments)
        for part in given
    ]
    if refusal:
        parts.append({"type": "text", "text": str(refusal), "refusal": True})
    return [*reasoning, *parts]


def _part(part: Mapping[str, Any], attachments: Attachments) -> dict[str, Any]:
    kind = part.get("type")
    held = part.get(kind) if isinstance(kind, str) else None
    if kind == "text":
        return {"type": "text", "text": str(part.get("text") or "")}
    if not isinstance(held, Mapping):
        return {"type": "data", "data": without_media(plain(part))}
    if kind == "image_url":
        detail = held.get("detail")
        detail = detail if detail in ("low", "high") else "auto"
        image = attachments.attach(str(held.get("url") or ""))
        return {"type": "image", "image": image, "detail": detail}
    if kind == "input_audio" and held.get("format") in ("wav", "mp3"):
        sound = f"data:audio/{held['format']};base64,{held.get('data')}"
        return {"type": "audio", "audio": attachments.attach(sound), "format": held["format"]}
    if kind == "file":
        return _document(held, attachments)
    return {"type": "data", "data": without_media(plain(part))}


def _document(held: Mapping[str, Any], attachments: Attachments) -> dict[str, Any]:
    uri = str(held.get("file_data") or held.get("file_id") or "")
    is_data = uri.startswith("data:")
    return {
        "type": "document",
        "document": attachments.attach(uri),
        "filename": str(held.get("filename") or "document"),
        "mime_type": uri[5:].partition(";")[0] if is_data else "application/octet-stream",
    }


def _reasoning(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an answer's reasoning in Inspect's form; Claude's signatures are kept."""
    text, blocks = message.get("reasoning_content"), message.get("thinking_blocks")
    if isinstance(blocks, list) and all(map(is_claudes, blocks)) and blocks:
        return [to_thought(block) for block in blocks]
    return [{"type": "reasoning", "reasoning": str(text), "redacted": False}] if text else []


def is_claudes(block: Any) -> bool:
    """Return whether a thinking block is one of Claude's, which are signed; Cohere's are not."""
    if not isinstance(block, Mapping):
        return False
    proof = block.get(_PROOFS.get(str(block.get("type")), ""))
    return isinstance(proof, str) and bool(proof) and isinstance(block.get("thinking"), str | None)


def to_thought(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of Claude's thinking blocks in the form of Inspect's own provider.

    The signature is the `reasoning`, and the readable text the `summary`.
    """
    if block["type"] == "redacted_thinking":
        return {"type": "reasoning", "reasoning": str(block.get("data") or ""), "redacted": True}
    return {
        "type": "reasoning",
        "reasoning": str(block.get("signature") or ""),
        "summary": str(block.get("thinking") or ""),
        "redacted": True,
    }


def authored(message: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an answer in Inspect's form with its author's name in front."""
    return {**message, "content": headed(message["content"], name), "metadata": {"agent": name}}


def headed(content: str | Sequence[Part], author: str) -> str | list[Part]:
    """Return content, in our form or in Inspect's, with its author's name in front."""
    head = f"[{author}]"  # no colon, as in Inspect
    return f"{head} {content}" if isinstance(content, str) else [text_part(head), *content]
