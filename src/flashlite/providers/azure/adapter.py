"""Azure OpenAI: OpenAI's three dialects with another address and key header.

Source: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle. With a dated
`api-version` in its query, an address uses one path per deployment; otherwise the v1 API is used,
where the deployment is the model. A deployment's name tells nothing about its model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from ...types import CompletionRequest, CompletionResponse, Delta
from ...wire import SSEvent, WireRequest
from ..adapter import Endpoint
from ..embeddings import OpenAIEmbeddingsAdapter
from ..openai import OpenAIAdapter, parse_chunk, parse_completion
from ..reading import load, load_event
from ..responses import ResponsesAdapter

# The first dated version with `max_completion_tokens` and `stream_options`.
_OF_TODAY = "2024-09-01-preview"


class AzureAdapter(OpenAIAdapter):
    """Chat completions, with the results of Azure's content filter in `facts`."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        wire = super().build_request(request, endpoint)
        path = f"deployments/{quote(request.model, safe='')}/chat/completions"
        wire = _aimed(wire, request, endpoint, dated=path, v1="chat/completions")
        version = _version(endpoint)
        return replace(wire, json=_of_old(wire.json)) if version and version < _OF_TODAY else wire

    def parse_response(self, body: bytes) -> CompletionResponse:
        data = load(body)
        response = parse_completion(data)
        response.facts = {**response.facts, **_verdicts(data)}
        return response

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        if event.data.strip() == b"[DONE]":
            return ()
        data = load_event(event.data)
        return [*parse_chunk(data), *_facts_delta(_verdicts(data))]


class AzureResponsesAdapter(ResponsesAdapter):
    """Responses."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        wire = super().build_request(request, endpoint)
        return _aimed(wire, request, endpoint, dated="responses", v1="responses")


class AzureEmbeddingsAdapter(OpenAIEmbeddingsAdapter):
    """Embeddings."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        wire = super().build_request(request, endpoint)
        path = f"deployments/{quote(request.model, safe='')}/embeddings"
        return _aimed(wire, request, endpoint, dated=path, v1="embeddings")


def _aimed(
    wire: WireRequest, request: CompletionRequest, endpoint: Endpoint, *, dated: str, v1: str
) -> WireRequest:
    """Return the request with Azure's address and key header."""
    parts = urlsplit(endpoint.base_url)
    before = parts.path.partition("/openai")[0].rstrip("/")
    path = dated if _version(endpoint) else f"v1/{v1}"
    query = f"?{parts.query}" if parts.query else ""
    key = {"api-key": endpoint.api_key} if endpoint.api_key else {}
    return replace(
        wire,
        url=f"{parts.scheme}://{parts.netloc}{before}/openai/{path}{query}",
        headers={**key, **request.extra_headers},
    )


def _version(endpoint: Endpoint) -> str | None:
    """Return the dated version in an address; the v1 API has none, or a word like "preview"."""
    parts = urlsplit(endpoint.base_url)
    version = parse_qs(parts.query).get("api-version", [""])[0]
    return version if version[:1].isdecimal() and "/openai/v1" not in parts.path else None


def _of_old(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body for versions before September 2024."""
    names = {"max_completion_tokens": "max_tokens"}
    return {names.get(key, key): body[key] for key in body if key != "stream_options"}


def _verdicts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the content filter found in the prompt and in the answer."""
    choice: Mapping[str, Any] = next(iter(data.get("choices") or ()), {})
    told = {
        "prompt_filter_results": data.get("prompt_filter_results"),
        "content_filter_results": choice.get("content_filter_results"),
    }
    return {name: value for name, value in told.items() if value}


def _facts_delta(facts: dict[str, Any]) -> Iterator[Delta]:
    if facts:
        yield Delta(index=None, facts=facts)
