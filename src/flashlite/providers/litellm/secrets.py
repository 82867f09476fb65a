"""The secrets that a call through litellm could put into an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from ... import env
from ...types import SHORTEST_SECRET, secrets_in, secrets_inside

_SPOKEN = frozenset({"messages", "tools", "response_format"})  # content for the model

# Variables that litellm reads itself, besides `<PROVIDER>_API_KEY`.
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
    """The secrets of one call: those passed, those in the environment, and those sent."""

    def __init__(self, arguments: Mapping[str, Any], model: str) -> None:
        said = {name: arguments[name] for name in arguments.keys() - _SPOKEN}
        self._arguments = {*secrets_in(said), *secrets_inside(said)}
        self._arguments |= set(secrets_in(said.get("extra_headers") or {}))
        self._prefix = model.partition("/")[0].upper()
        self._sent: set[str] = set()

    def note(self, *, key: Any, address: Any, headers: Any) -> None:
        """Add secrets that litellm sent, whatever their source."""
        query = parse_qsl(address.partition("?")[2]) if isinstance(address, str) else ()
        named = headers if isinstance(headers, Mapping) else {}
        self._sent |= {*secrets_in({"key": key} | dict(query)), *secrets_in(named)}

    def as_headers(self) -> dict[str, str]:
        """Return all secrets as headers, which `signed` removes from errors."""
        return {f"key-{n}": word for n, word in enumerate(sorted(self.words(), key=len))}

    def words(self) -> set[str]:
        """Return all secrets, both whole and without a scheme like "Bearer" in front."""
        names = (f"{self._prefix}_{end}" for end in ("API_KEY", "API_TOKEN", "APIKEY", "TOKEN"))
        held = {value for name in (*names, *_VARIABLES) if (value := env.get(name))}
        found = self._sent | held | self._arguments
        found |= {word.rpartition(" ")[2] for word in found}
        return {word for word in found if len(word) >= SHORTEST_SECRET}

    def strike(self, text: str) -> str:
        """Return a text with the secrets masked."""
        for word in sorted(self.words(), key=len, reverse=True):
            text = text.replace(word, "***")
        return text
