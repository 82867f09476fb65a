"""The spellings of a model's name by people and by the price map.

A name is bare (`gpt-4o`) or starts with its provider (`azure/gpt-4o`). Names are compared whole and
as written: no prefix, substring or case is ever guessed, because a model with nearly the same name
may cost seventeen times as much. Only the provider of a model that the price map does not list, or
no longer lists, is inferred from the pattern of its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

OTHER_SPELLINGS = {
    "amazon-nova": "amazon_nova",
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "grok": "xai",
    "ollama_chat": "ollama",
    "together": "together_ai",
    "vertex": "vertex_ai",
    "vllm": "hosted_vllm",
}

_RELEASES = {
    "anthropic": re.compile(r"claude-([a-z]+-)?\d"),
    "gemini": re.compile(r"gemini-\d"),
    "openai": re.compile(r"(gpt-|o)\d"),
}
_FINE_TUNE = re.compile(r"((?:[^/:]+/)?ft:[^:]+)(:.+)")


def provider_named(spelling: str) -> str:
    """Return litellm's name of a provider, however a person or the price map spells it.

    The map splits some providers by kind of model: `vertex_ai-language-models`,
    `text-completion-openai`.
    """
    spelling = spelling.removeprefix("text-completion-")
    if spelling.endswith("models"):
        spelling = spelling.partition("-")[0]
    return OTHER_SPELLINGS.get(spelling, spelling)


def canonical(name: str) -> str:
    """Return the name with its provider as litellm spells it: `google/x` is `gemini/x`."""
    prefix, slash, rest = name.partition("/")
    return f"{provider_named(prefix)}/{rest}" if slash else name


def spellings(name: str) -> Iterator[tuple[str, str | None]]:
    """Yield the map's possible keys for a name, best first.

    Each comes with the provider that its entry must belong to, or None where the key itself names
    it: `openai/gpt-4o` may be the key `gpt-4o`, but only if that entry is OpenAI's. A bare Gemini
    name means the Gemini API before Vertex AI, whose entries have bare names in the map.
    """
    prefix, slash, rest = name.partition("/")
    if name.startswith("gemini-"):
        yield f"gemini/{name}", None
    yield name, None
    if slash:
        yield canonical(name), None
        yield rest, provider_named(prefix)
    if rest.startswith("arn:aws"):  # a model or profile on Bedrock; the ARN ends with its id
        yield rest.rpartition("/")[2], "bedrock"


def maker(name: str) -> str | None:
    """Return the maker of a numbered release by its bare name: "anthropic" for `claude-3-...`."""
    return next((who for who, release in _RELEASES.items() if release.match(name)), None)


def split_fine_tune(name: str) -> tuple[str, str]:
    """Split `ft:gpt-4o-2024-08-06:org::id` before `:org`; the second part is empty for others."""
    match = _FINE_TUNE.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")
