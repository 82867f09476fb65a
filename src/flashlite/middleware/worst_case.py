"""The most that a call may cost, computed before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..models import ModelProfile, Prices, lookup
from ..types import CompletionRequest, Target

# Every token of a byte-level vocabulary is at least one byte, so bytes bound the tokens of text;
# these are added for what has no text, or is not sent as text.
_PER_MESSAGE = 16  # role and separators
_PER_IMAGE = 50_000  # eight tiles, at the model with the most tokens per tile
_PER_SMALL_IMAGE = 3_000  # with detail "low"
_BYTES_PER_MEDIA_TOKEN = 40  # of base64; audio and documents take fewer tokens per byte than this
_UNBOUNDED = 10**8  # media fetched by the provider, or of an unknown kind; the context bounds them


def worst_case(request: CompletionRequest, target: Target, *, batch: bool = False) -> float | None:
    """Return the most dollars that one request may cost, or None where no price is known.

    Raises ConfigError when nothing bounds the length of the answer.
    """
    profile = lookup(target.full_name)
    if profile is None or profile.prices is None:
        return None
    read = most_input(request, profile)
    given = request.params.get("service_tier")
    tier = given if isinstance(given, str) else None
    prices = profile.prices.for_request(read, batch=batch, tier=tier)
    if prices is None:
        return None
    dearest = max(prices.output, prices.reasoning or 0.0)
    written = most_output(request, profile) if dearest and request.api != "embeddings" else 0
    return read * _dearest_input(prices) + written * dearest


def most_input(request: CompletionRequest, profile: ModelProfile) -> int:
    """Return an upper bound on a prompt's tokens."""
    if request.api == "embeddings":  # the context window bounds each text separately
        more = _PER_MESSAGE + _most_tokens(request.extra_body)
        return sum(_within(_most_tokens(m) + more, profile) for m in request.messages)
    most = sum(_PER_MESSAGE + _most_tokens(message) for message in request.messages)
    most += sum(_PER_MESSAGE + _most_tokens(tool) for tool in request.tools)
    most += _most_tokens(request.params.get("response_format")) + _most_tokens(request.extra_body)
    return _within(_UNBOUNDED if request.has_server_tools else most, profile)


def _within(tokens: int, profile: ModelProfile) -> int:
    return tokens if profile.context_window is None else min(tokens, profile.context_window)


def most_output(request: CompletionRequest, profile: ModelProfile) -> int:
    """Return an upper bound on the tokens of all choices together, including reasoning."""
    sent = {**request.params, **request.extra_body}
    asked = [_positive(name, sent[name]) for name in _LIMITS if sent.get(name) is not None]
    asked += _limits_in(request.extra_body)
    # If several are given, the server may use any of them.
    known = [bound for bound in (max(asked, default=0), profile.max_output_tokens) if bound]
    if not known:
        raise ConfigError(
            f"a budget needs a bound on the answer: pass max_tokens to {request.model}"
        )
    return min(known) * _positive("n", sent.get("n") or 1)


_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_NATIVE_LIMITS = frozenset({"maxOutputTokens", "maxTokens"})  # Google's and AWS's, nested in a body


def _limits_in(body: Mapping[str, Any]) -> Iterator[int]:
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from _limits_in(value)
        elif name in _NATIVE_LIMITS and isinstance(value, int):
            yield value


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is a whole number of at least 1; got {value!r:.80}")
    return value


def _dearest_input(prices: Prices) -> float:
    return max(prices.input, prices.cache_write or 0.0, prices.cache_write_1h or 0.0)


def _most_tokens(value: Any) -> int:
    """Bound the tokens of a JSON value: its text and names byte by byte, media by their kind."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    if value is None:
        return 0
    if isinstance(value, (dict, Mapping)):  # checking for a dict first is faster
        if (kind := value.get("type")) in _MEDIA:
            return _most_of_media(value.get(kind), kind)
        return sum(2 + len(str(name)) + _most_tokens(member) for name, member in value.items())
    if isinstance(value, Iterable):
        return sum(1 + _most_tokens(item) for item in value)
    return len(str(value))


_MEDIA = ("image_url", "input_audio", "file", "video_url", "input_video", "document")


def _most_of_media(media: Any, kind: str) -> int:
    if kind == "image_url":
        is_small = isinstance(media, Mapping) and media.get("detail") == "low"
        return _PER_SMALL_IMAGE if is_small else _PER_IMAGE
    inline = media.get("file_data") or media.get("data") if isinstance(media, Mapping) else None
    if kind in ("file", "input_audio") and isinstance(inline, str) and "://" not in inline[:20]:
        return _PER_IMAGE + len(inline) // _BYTES_PER_MEDIA_TOKEN
    return _UNBOUNDED
