"""The dialects of embedding APIs: texts in, one vector for each out.

A request has one user message per text. Its answer has one choice per text, in the same order,
whose message holds the unchanged vector under `embedding`: a list of numbers, or base64. Sources:
https://platform.openai.com/docs/api-reference/embeddings, https://ai.google.dev/api/embeddings,
https://docs.cohere.com/v2/reference/embed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import CompletionError, ConfigError, StreamInterruptedError
from ..types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    Delta,
    Message,
    Usage,
    vector_of,
)
from ..wire import SSEvent, WireRequest
from .adapter import Endpoint
from .google.errors import read_error as read_google_error
from .openai import raise_inner_error, usage_in
from .reading import (
    NOT_AN_ANSWER,
    count_in,
    index_in,
    load,
    name_in,
    not_an_answer,
    plausible,
    read_error,
)


class _EmbeddingsAdapter:
    """What the dialects share: no streams, and errors in the usual forms."""

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        raise StreamInterruptedError("embeddings do not come as a stream")

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


class OpenAIEmbeddingsAdapter(_EmbeddingsAdapter):
    """OpenAI's embeddings API, which most compatible servers have too."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        renames = endpoint.host.renames
        params = {renames.get(name, name): value for name, value in request.params.items()}
        body = {"model": request.model, "input": _texts(request), **params, **request.extra_body}
        return _wire("embeddings", body, endpoint.bearer, request, endpoint)

    def parse_response(self, body: bytes) -> CompletionResponse:
        return parse_embeddings(load(body))


def parse_embeddings(data: Mapping[str, Any]) -> CompletionResponse:
    """Parse the JSON of an answer of OpenAI's embeddings API."""
    raise_inner_error(data)
    try:
        numbered = [(index_in(item, n), item["embedding"]) for n, item in enumerate(data["data"])]
        vectors = [vector for _, vector in sorted(numbered, key=lambda pair: pair[0])]
        told = data.get("usage") or {}
        # Voyage reports only the total.
        asked = told.get("prompt_tokens") or told.get("total_tokens")
        usage = None if asked is None else usage_in({**told, "prompt_tokens": asked})
        return _answer(vectors, data, usage)
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, data) from error


class GoogleEmbeddingsAdapter(_EmbeddingsAdapter):
    """Gemini's batchEmbedContents; `extra_body` (`taskType`, `title`) applies to each text."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        given = _spelled(request, {"dimensions": "outputDimensionality"}, "Gemini")
        model = f"models/{request.model.removeprefix('models/')}"
        asked = [
            {"model": model, "content": {"parts": [{"text": text}]}, **given, **request.extra_body}
            for text in _texts(request)
        ]
        headers = {"x-goog-api-key": endpoint.api_key} if endpoint.api_key else {}
        return _wire(f"{model}:batchEmbedContents", {"requests": asked}, headers, request, endpoint)

    def parse_response(self, body: bytes) -> CompletionResponse:
        data = load(body)
        try:
            told = data.get("usageMetadata") or {}
            vectors = [item["values"] for item in data["embeddings"]]
            return _answer(vectors, data, _used(told.get("promptTokenCount")))
        except NOT_AN_ANSWER as error:
            raise not_an_answer(error, data) from error

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_google_error(status, headers, body)


class CohereEmbeddingsAdapter(_EmbeddingsAdapter):
    """Cohere's embed API, version 2.

    Its models need to know the purpose of a text; the default is "search_document", and
    `extra_body={"input_type": "search_query"}` changes it.
    """

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        body = {
            "model": request.model,
            "texts": _texts(request),
            "input_type": "search_document",
            "embedding_types": ["float"],
            **_spelled(request, {"dimensions": "output_dimension"}, "Cohere"),
            **request.extra_body,
        }
        kinds: Any = body["embedding_types"]
        if not isinstance(kinds, list) or "float" not in kinds:
            raise ConfigError("vectors are read as floats: leave embedding_types out")
        return _wire("embed", body, endpoint.bearer, request, endpoint)

    def parse_response(self, body: bytes) -> CompletionResponse:
        data = load(body)
        try:
            billed = (data.get("meta") or {}).get("billed_units") or {}
            return _answer(data["embeddings"]["float"], data, _used(billed.get("input_tokens")))
        except NOT_AN_ANSWER as error:
            raise not_an_answer(error, data) from error


def _texts(request: CompletionRequest) -> list[str]:
    if request.stream:
        raise ConfigError("embeddings do not come as a stream: ask without stream=True")
    return [message.text for message in request.messages]


def _spelled(request: CompletionRequest, names: Mapping[str, str], api: str) -> dict[str, Any]:
    """Return the parameters under another API's names; raise ConfigError for unsupported ones."""
    params = dict(request.params)
    if params.get("encoding_format") == "float":
        del params["encoding_format"]  # the default
    if unknown := params.keys() - names.keys():
        raise ConfigError(f"{api} takes no {', '.join(sorted(unknown))} for embeddings")
    return {names[name]: value for name, value in params.items()}


def _wire(
    path: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    request: CompletionRequest,
    endpoint: Endpoint,
) -> WireRequest:
    return WireRequest(
        url=f"{endpoint.base_url.rstrip('/')}/{path}",
        json=body,
        headers={**headers, **request.extra_headers},
        timeout=request.timeout,
    )


@plausible
def _used(tokens: Any) -> Usage | None:
    """Return the usage, or None if no number was reported."""
    return None if tokens is None else Usage(input_tokens=count_in(tokens))


def _answer(vectors: list[Any], data: Mapping[str, Any], usage: Usage | None) -> CompletionResponse:
    """Build the answer; raise one of NOT_AN_ANSWER for an invalid vector."""
    for vector in vectors:
        vector_of(vector)
    return CompletionResponse(
        id=name_in(data.get("id")),
        model=name_in(data.get("model")) or "",
        choices=tuple(
            Choice(index=n, message=Message.assistant(embedding=vector), finish_reason="stop")
            for n, vector in enumerate(vectors)
        ),
        usage=usage,
        raw=data,
    )
