"""Log records of a call, without secrets, inline media and overlong texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import unquote

from ..types import (
    SHORTEST_SECRET,
    Choice,
    CompletionRequest,
    CompletionResponse,
    Target,
    ToolCall,
    is_secret,
    secrets_in,
    secrets_inside,
    without_media,
    without_password,
)

_STRUCK = "***"
_LONGEST_PLAIN = 255  # characters; a shorter text is not media, unless it begins like a data URI
_DEEPEST = 60  # nested values; JSON libraries fail somewhere beyond 200


def of_request(request: CompletionRequest, *, with_messages: bool) -> dict[str, Any]:
    """Return what was asked for, and by which agent; the caller leaves out empty values."""
    return {
        "target": request.target and _target_fields(request.target),
        "params": request.params,
        "extra_body": request.extra_body and _concealed(request.extra_body),
        "tools": request.tools and [_tool_name(tool) for tool in request.tools],
        "response_model": getattr(request.response_model, "__name__", None),
        "sample": request.sample,
        "stream": request.stream,
        "agent": request.agent,
        "tags": request.tags,
        "messages": request.messages if with_messages else None,
    }


def of_response(response: CompletionResponse, *, with_content: bool) -> dict[str, Any]:
    """Return who answered, what, and at what cost; choices after the first are in `others`."""
    texts = [choice for choice in response.choices if "embedding" not in choice.message]
    choices = [_choice(choice, with_content) for choice in texts]
    return {
        "cached": response.cached,
        "attempts": response.attempts,
        "model_served": response.model,
        "provider": response.provider,
        "provider_request_id": response.request_id,
        "fallback_from": response.fallback_from,
        **(choices[0] if choices else {}),
        "others": [known(choice) for choice in choices[1:]],
        "embeddings": len(response.choices) - len(texts) or None,
        "usage": response.usage and response.usage.to_dict(),
        "wasted": response.wasted and response.wasted.to_dict(),
        "cost": response.cost,
        "lineage": response.lineage,
        "facts": response.facts,
    }


def of_error(error: BaseException) -> dict[str, Any]:
    """Return what went wrong, and whether a retry may help."""
    return {
        "error_type": type(error).__name__,
        "message": str(error),
        "status_code": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "retryable": getattr(error, "retryable", None),
        "attempts": getattr(error, "attempts", None),
        "retry_after": getattr(error, "retry_after", None),
        "provider": getattr(error, "provider", None),
        "provider_request_id": getattr(error, "request_id", None),
    }


def known(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out empty values; numbers and booleans always stay."""
    return {name: value for name, value in fields.items() if value or type(value) in _NUMBERS}


_NUMBERS = frozenset({int, float, bool})


def secrets_of(request: CompletionRequest) -> tuple[str, ...]:
    """Return every text that no log may show, longest first.

    These are the key, the values under secret-looking names in headers and body, and the secrets in
    an address; each also as it is escaped in JSON.
    """
    if not request.extra_headers and not request.extra_body:
        return _words_in(request.api_key, request.base_url)
    hidden = [*secrets_in(request.extra_headers), *secrets_inside(request.extra_body)]
    return _words_in(request.api_key, request.base_url, *hidden)


@lru_cache(maxsize=64)
def _words_in(api_key: str | None, base_url: str | None, *hidden: str) -> tuple[str, ...]:
    found = {api_key or "", *_in_address(base_url or "")}
    for value in hidden:
        found |= {value, value.rpartition(" ")[2]}
    found |= {json.dumps(word)[1:-1] for word in found}
    long_enough = (word for word in found if len(word) >= SHORTEST_SECRET)
    return tuple(sorted(long_enough, key=len, reverse=True))


def to_line(record: Mapping[str, Any], *, max_text: int | None, secrets: tuple[str, ...]) -> bytes:
    """Return a record as JSON on one line.

    The values are copied as they are now; a value that is not JSON is replaced by its type's name.
    """
    if not _may_be_huge(record, max_text):
        line = _dump(record)
        if line is not None and _may_be_shown(line, max_text, secrets):
            return line
    plain = _Plain(max_text, secrets).copy(record, None, 0)
    # The standard library also writes lone surrogates, and numbers beyond 64 bits.
    return _dump(plain) or json.dumps(plain, separators=(",", ":")).encode()


def _may_be_huge(record: Mapping[str, Any], max_text: int | None) -> bool:
    """Return whether messages are long, or more than text: an image may have many megabytes."""
    length = 0
    for message in record.get("messages", ()):
        content = message.get("content") if isinstance(message, dict) else message
        if type(content) is str:
            length += len(content)
        elif content is not None:
            return True
    return max_text is not None and length > max_text


def _dump(value: Any) -> bytes | None:
    """Return a value as JSON, or None if some part of it is not JSON."""
    try:
        return _orjson_dumps()(value)
    except TypeError:
        return None


def _may_be_shown(line: bytes, max_text: int | None, secrets: tuple[str, ...]) -> bool:
    """Return whether nothing in a line has to be cut or masked; False if that is uncertain."""
    is_long = max_text is not None and len(line) > max_text
    if is_long or b'"data' in line:  # the key of audio, and the start of a data URI
        return False
    # A secret that JSON escapes looks different in a line, and different again in nested JSON.
    return not secrets or not any("\\" in word or word.encode() in line for word in secrets)


@cache
def _orjson_dumps() -> Callable[[Any], bytes]:
    import orjson

    return orjson.dumps


class _Plain:
    """Copies values as JSON, without secrets and media, and with long texts cut."""

    __slots__ = ("_longest", "_max_text", "_secrets")

    def __init__(self, max_text: int | None, secrets: tuple[str, ...]) -> None:
        self._max_text = max_text
        self._secrets = secrets
        self._longest = _LONGEST_PLAIN if max_text is None else min(max_text, _LONGEST_PLAIN)

    def copy(self, value: Any, key: str | None, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value, key)
        if kind in _ATOMS:
            return value
        if depth > _DEEPEST:
            return "<nested too deeply>"
        if isinstance(value, dict):
            return self._mapping(value, depth + 1)
        if isinstance(value, list | tuple):
            return [self.copy(member, None, depth + 1) for member in value]
        return self._other(value, key, depth)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        if not self._secrets:
            return {
                name if type(name) is str else str(name): self.copy(member, name, depth)
                for name, member in value.items()
            }
        return {
            self._struck(str(name)): self.copy(member, name, depth)
            for name, member in value.items()
        }

    def _other(self, value: Any, key: str | None, depth: int) -> Any:
        if isinstance(value, str):  # a member of an enum
            return self._text(str(value), key)
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1)
        if isinstance(value, ToolCall):
            return self.copy(value.to_dict(), None, depth)
        return f"<{getattr(value, '__name__', None) or type(value).__name__}>"

    def _text(self, text: str, key: str | None) -> str:
        if len(text) > self._longest or text.startswith("data:"):
            text = without_media(text, key)
        if self._secrets:
            text = self._struck(text)
        limit = self._max_text
        if limit is None or len(text) <= limit:
            return text
        return f"{text[:limit]}… ({len(text) - limit:,} more characters)"

    def _struck(self, text: str) -> str:
        for word in self._secrets:
            if word in text:
                text = text.replace(word, _STRUCK)
        return text


_ATOMS = frozenset({int, float, bool, type(None)})


def _choice(choice: Choice, with_content: bool) -> dict[str, Any]:
    message = choice.message
    calls = message.get("tool_calls")
    if not with_content:
        names = calls and [(call.get("function") or call).get("name") for call in calls]
        return {"finish_reason": choice.finish_reason, "tool_calls": names}
    return {
        "finish_reason": choice.finish_reason,
        "content": message.get("content"),
        "reasoning": message.get("reasoning_content"),
        "refusal": message.get("refusal"),
        "tool_calls": calls,
    }


def _tool_name(tool: Mapping[str, Any]) -> Any:
    return (tool.get("function") or tool).get("name") or tool.get("type")


def _target_fields(target: Target) -> dict[str, str]:
    address = without_password(target.address.partition("?")[0])
    return known(
        {
            "provider": target.provider,
            "dialect": target.dialect,
            "model": target.model,
            "address": address,
            "account": target.account,
        }
    )


def _concealed(value: Any) -> Any:
    """Mask every text under a name that looks secret."""
    if isinstance(value, list | tuple):
        return [_concealed(member) for member in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _blackened(member) if is_secret(name) else _concealed(member)
        for name, member in value.items()
    }


def _blackened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _blackened(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_blackened(member) for member in value]
    return _STRUCK if isinstance(value, str) else value


def _in_address(url: str) -> Iterator[str]:
    """Yield the secrets in an address, both percent-encoded and decoded."""
    if "?" in url or "@" in url:
        pairs = (pair.partition("=") for pair in url.partition("?")[2].split("&"))
        found = [*_PASSWORD.findall(url), *secrets_in({name: value for name, _, value in pairs})]
        yield from found
        yield from map(unquote, found)


_PASSWORD = re.compile("//[^/@]*:([^/@]*)@")
