"""Every secret that a call through litellm could bring into an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from ... import env

_SECRET = re.compile("auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
_SHORTEST = 8  # characters; a local server's key may be a word such as "none"

# What litellm reads by itself, beside `<PROVIDER>_API_KEY`.
_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_AD_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_OPENAI_API_KEY",
    "AZURE_PASSWORD",
    "COHERE_API_KEY",
    "CO_API_KEY",
    "DATABRICKS_TOKEN",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "HF_TOKEN",
    "HUGGINGFACE_API_KEY",
    "REPLICATE_API_TOKEN",
    "WATSONX_APIKEY",
    "WX_API_KEY",
)


class Secrets:
    """The secrets of one call: what was passed, what the environment holds, what was sent."""

    def __init__(self, arguments: Mapping[str, Any], model: str) -> None:
        self._arguments = arguments
        self._prefix = model.partition("/")[0].upper()
        self._sent: set[str] = set()

    def note(self, *, key: Any, address: Any, headers: Any) -> None:
        """Remember what litellm sent, wherever it had that from."""
        query = parse_qsl(address.partition("?")[2]) if isinstance(address, str) else ()
        named = headers if isinstance(headers, Mapping) else {}
        self._sent |= set(_hidden({"key": key, "query": dict(query), "headers": named}))

    def as_headers(self) -> dict[str, str]:
        """Return all of them in the shape that `signed` strikes out of errors."""
        return {f"key-{n}": word for n, word in enumerate(sorted(self.words(), key=len))}

    def words(self) -> set[str]:
        """Return all of them, each whole and without the scheme before it."""
        names = (f"{self._prefix}_{end}" for end in ("API_KEY", "API_TOKEN", "APIKEY", "TOKEN"))
        held = {value for name in (*names, *_VARIABLES) if (value := env.get(name))}
        found = self._sent | held | set(_hidden(self._arguments))
        found |= {word.rpartition(" ")[2] for word in found}
        return {word for word in found if len(word) >= _SHORTEST}

    def strike(self, text: str) -> str:
        """Return a text without them."""
        for word in sorted(self.words(), key=len, reverse=True):
            text = text.replace(word, "***")
        return text


def _hidden(named: Mapping[str, Any]) -> Iterator[str]:
    """Yield texts whose names look secret, at any depth of named things."""
    for name, value in named.items():
        if isinstance(value, Mapping):
            yield from _hidden(value)
        elif isinstance(value, str) and _SECRET.search(str(name)):
            yield value
