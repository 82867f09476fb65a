"""The dialects by name; each is imported when the first request needs it."""

from __future__ import annotations

from collections.abc import Mapping
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

# The dialect of a service beside the one that a host's own dialect is for.
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

# Parameters for which a service beside has no place, whatever the host itself refuses.
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
    """Return what is spoken at a service of a host of this dialect; None where we speak it not."""
    return dialect if api is None else _BESIDE.get((dialect, api))


def adapter_for(dialect: str) -> Adapter:
    """Return the adapter of a dialect."""
    module, _, name = _HOMES[dialect].rpartition(".")
    adapter: Adapter = getattr(import_module(f".{module}", __package__), name)()
    return adapter
