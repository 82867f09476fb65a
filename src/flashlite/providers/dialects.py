"""The dialects by name, each imported at its first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from ..types import API
from .adapter import Adapter

_HOMES = {
    "anthropic": "anthropic.adapter.AnthropicAdapter",
    "azure": "azure.adapter.AzureAdapter",
    "azure_embeddings": "azure.adapter.AzureEmbeddingsAdapter",
    "azure_responses": "azure.adapter.AzureResponsesAdapter",
    "bedrock": "bedrock.adapter.BedrockAdapter",
    "cohere": "cohere.CohereAdapter",
    "cohere_embeddings": "embeddings.CohereEmbeddingsAdapter",
    "google": "google.GoogleAdapter",
    "google_embeddings": "embeddings.GoogleEmbeddingsAdapter",
    "databricks": "databricks.DatabricksAdapter",
    "mistral": "mistral.MistralAdapter",
    "openai": "openai.OpenAIAdapter",
    "openai_embeddings": "embeddings.OpenAIEmbeddingsAdapter",
    "responses": "responses.ResponsesAdapter",
    "vertex_ai": "google.GoogleAdapter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a dialect can express, or requires, where others do not.

    `tool_media`: a tool result may have more than text. `marks_errors`: it may be marked as an
    error. `thinks_between`: thinking may stand between the texts of an answer. `cites`: a document
    may be marked to be cited. `marks_cache`: a mark shows where the cached part of a prompt ends.
    `refuses_marks`: a model without a prompt cache refuses such marks. `keeps_tools`: a request
    must name the tools of all calls in it. `draws_by_tool`: images are requested with a tool.
    `streams_long`: an answer that may take more than ten minutes must be streamed.
    """

    tool_media: bool = False
    marks_errors: bool = False
    thinks_between: bool = False
    cites: bool = False
    marks_cache: bool = False
    refuses_marks: bool = False
    keeps_tools: bool = False
    draws_by_tool: bool = False
    streams_long: bool = False


_GEMINI = Facts(tool_media=True, marks_errors=True)
_RESPONSES = Facts(tool_media=True, draws_by_tool=True)
_FACTS = {
    "anthropic": Facts(
        tool_media=True,
        marks_errors=True,
        thinks_between=True,
        cites=True,
        marks_cache=True,
        keeps_tools=True,
        streams_long=True,
    ),
    "azure_responses": _RESPONSES,
    "bedrock": Facts(
        marks_errors=True, cites=True, marks_cache=True, refuses_marks=True, keeps_tools=True
    ),
    "google": _GEMINI,
    "responses": _RESPONSES,
    "vertex_ai": _GEMINI,
}
_PLAIN = Facts()

# The dialect of a host's additional service, by the host's own dialect.
_BESIDE = {
    ("azure", "embeddings"): "azure_embeddings",
    ("azure", "responses"): "azure_responses",
    ("cohere", "embeddings"): "cohere_embeddings",
    ("databricks", "embeddings"): "openai_embeddings",
    ("google", "embeddings"): "google_embeddings",
    ("mistral", "embeddings"): "openai_embeddings",
    ("openai", "embeddings"): "openai_embeddings",
    ("openai", "responses"): "responses",
}

# Parameters that an additional service does not have, whatever the host itself refuses.
NOT_TAKEN: Mapping[API, frozenset[str]] = {
    "responses": frozenset(
        {
            "audio",
            "frequency_penalty",
            "logit_bias",
            "modalities",
            "prediction",
            "presence_penalty",
            "seed",
            "stop",
            "thinking",
            "top_k",
            "web_search_options",
        }
    )
}


def dialect_of(dialect: str, api: API | None) -> str | None:
    """Return the dialect of a service at a host of this dialect, or None if unsupported."""
    return dialect if api is None else _BESIDE.get((dialect, api))


def facts_of(dialect: str) -> Facts:
    """Return the facts of a dialect; an unknown or empty one has none."""
    return _FACTS.get(dialect, _PLAIN)


def adapter_for(dialect: str) -> Adapter:
    """Return the adapter of a dialect."""
    module, _, name = _HOMES[dialect].rpartition(".")
    adapter: Adapter = getattr(import_module(f".{module}", __package__), name)()
    return adapter
